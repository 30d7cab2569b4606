"""The arithmetic of llm-sweep: metrics, the compiler that turns them into loops, the Pareto kernels.

Another distribution imports as ``kernels`` too. This constant is how ``sweep`` tells the two apart, and importing
this package costs nothing: numba is loaded by the modules that compile.
"""

DISTRIBUTION = "llm-sweep"
