"""Tests, one folder per question: is the rule right, does the command do it, does it survive?"""
