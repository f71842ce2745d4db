"""A local web page that shows a trained run; needs the extra `explore`."""
