"""A finished run as pages in a browser: ask the model, look a fact up, see what was lost, compare with another run.

serve ──► server     socket, address, uvicorn
          app        routes; nothing a client sends is a path or the name of a model
          guard      who may ask at all: token, Host, Origin, sizes, headers
          content    what a run's folder holds, read once at the start
          index      facts with their answers: search, filters, pages, which fact a question is about
          asker      the taught model and its base, one question at a time
          views      what the templates show
"""
