"""CEL as Kubernetes' device selectors speak it: compiled once, then asked device by device.

Answers are those of `k8s.io/dynamic-resource-allocation/cel`; costs too. Nothing raises: a selector that
cannot be compiled or evaluated is a fault with the reason.
"""

from slicewire.allocator.core.cel.environment import Environment
from slicewire.allocator.core.cel.faults import CompileFault, EvaluationFault
from slicewire.allocator.core.cel.program import COST_LIMIT, Program
from slicewire.allocator.core.cel.selector import LONGEST_EXPRESSION, compile_derivation, compile_selector

__all__ = [
    "COST_LIMIT",
    "LONGEST_EXPRESSION",
    "CompileFault",
    "Environment",
    "EvaluationFault",
    "Program",
    "compile_derivation",
    "compile_selector",
]
