// All that is installed for C, as programs with many warnings include it.
#include <guv/guv.h>
#include <guv/http.h>
#if __has_include(<openssl/ssl.h>)
#include <guv/https.h>
#include <guv/ssl.h>
#endif

// A translation unit has a declaration.
extern int headers_are_here;
