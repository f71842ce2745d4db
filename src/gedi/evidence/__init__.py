"""Evidence: what the user knows about some inputs, as labels or as groups that obey a rule."""

from gedi.evidence.groups import Groups, RuleEvidence, rule_log_probability
from gedi.evidence.labels import Evidence, Labels, Observed

__all__ = ["Evidence", "Groups", "Labels", "Observed", "RuleEvidence", "rule_log_probability"]
