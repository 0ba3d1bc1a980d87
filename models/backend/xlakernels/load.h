#include "layouts.h"

// compile_or_load compiles a program with the plugin's own function, or loads the executable that Go kept.
void *compile_or_load(pjrt_api *plugin, compile_args *a);
