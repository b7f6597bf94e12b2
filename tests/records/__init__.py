"""Do the records hold? The ledger, its proofs, checkpoints and export, and those who tamper with them."""
