from rote.pipeline.verification import *
