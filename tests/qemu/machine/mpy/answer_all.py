"""Answers the requests in a file, one a line (tests/wire/mpy/answer.py), with one line each."""

import gc
import json

from answer import answer


def answer_all(path):
    with open(path) as file:
        for line in file:
            gc.collect()
            print(json.dumps(answer(json.loads(line))))
