"""The log-normaliser log Z of an energy over a box, and how far it can be trusted."""
