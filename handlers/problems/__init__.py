"""Problems: why incidents happen, what helps until the cause is gone, and whether its removal had an effect."""
