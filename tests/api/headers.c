// All that is installed for C, as programs with many warnings include it.
#include <guv/guv.h>
#include <guv/http.h>

// A translation unit has a declaration.
extern int headers_are_here;
