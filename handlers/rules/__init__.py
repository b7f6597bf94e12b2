"""Pure decisions: policy, facts and now go in, a value comes out."""
