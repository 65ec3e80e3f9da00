"""Run with the `transformers` of a second environment: what the models in some folders say, as a JSON line."""

import json
import sys

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer


def ask(folder: str, prompts: list[str]) -> list[dict[str, object]]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    answers = []
    for prompt in prompts:
        inputs = tokenizer(prompt, return_tensors="pt")
        with torch.no_grad():
            logits = model(**inputs).logits[0, -1].tolist()
        said = model.generate(**inputs, do_sample=False, max_new_tokens=12)[0].tolist()
        answers.append({"ids": said, "text": tokenizer.decode(said), "logits": logits})
    return answers


if __name__ == "__main__":
    folders, prompts = json.loads(sys.stdin.read())
    print(json.dumps([transformers.__version__, {folder: ask(folder, prompts) for folder in folders}]))
