#!/usr/bin/env python3
"""The example pair are an operator's files, which must run as they are: byte for byte, whatever a test would like."""
import hashlib
import os
import unittest

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples")
PAIR = {"lb1.conf": "c5f1d1bedd50bf9654e0a6c731d2a28915c62f17429ee35d2b34d64a2780c2b7",
        "lb2.conf": "f772d1f6f937c5ea79d936772b77aa9a1754db7d128ab0f3e9b79c2a932fcb88"}


class ExamplePair(unittest.TestCase):
    def test_nobody_has_edited_it(self):
        for name, wanted in PAIR.items():
            with open(os.path.join(EXAMPLES, name), "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).hexdigest(), wanted,
                                 f"examples/{name} has been changed: Trivet has to run it as it was")


if __name__ == "__main__":
    unittest.main()
