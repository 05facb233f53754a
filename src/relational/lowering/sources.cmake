# Sources of lowering/ and kernels/, for the module's own list.
set(LOWERING_SOURCES)
