"""Labelled documents: what a model is fine-tuned on and judged by, and a baseline that reads alike.

``read_labels.py`` reads files of labelled texts (``look_at_files.py`` finds them; a recipe may take
the labels of its own documents instead). ``pack_labels.py`` chooses documents (``choose.py``),
masks the words that name a label (``mask.py``) and tokenises. ``score_baseline.py`` fits TF-IDF and
logistic regression on the same texts. ``config.py`` says what a recipe may ask for.
"""
