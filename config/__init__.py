"""Says: settings, words, catalogue and policy of one organisation."""
