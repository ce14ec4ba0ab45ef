"""What leaves the house: evaluation events, alerts, exports. Messages are built here, purely; senders are thin edges.

Invariants: nothing is sent anywhere that a setting does not name; a message carries ids, labels, probabilities and our
own sentence, and words of the run only where a setting says so; what is sent twice carries the same key, so that a
receiver can tell.
"""

from agentdog.outbound.alerts import Alert, alert_of, test_alert
from agentdog.outbound.delivery import Delivery, State, alert_unit, next_try_s, verdicts_unit
from agentdog.outbound.evaluations import Evaluation, evaluations, test_evaluation
from agentdog.outbound.notifier import Answer, Notifier

__all__ = [
    "Alert",
    "Answer",
    "Delivery",
    "Evaluation",
    "Notifier",
    "State",
    "alert_of",
    "alert_unit",
    "evaluations",
    "next_try_s",
    "test_alert",
    "test_evaluation",
    "verdicts_unit",
]
