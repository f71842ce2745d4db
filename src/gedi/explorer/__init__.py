"""A local web page on a trained run. Needs the extra `explore`."""
