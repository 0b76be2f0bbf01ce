// All that is installed, as programs with many warnings include it.
#include <guv/guv.hpp>
#include <guv/http.h>
#include <guv/http.hpp>
#include <guv/websocket.hpp>
#if __has_include(<openssl/ssl.h>)
#include <guv/https.h>
#include <guv/https.hpp>
#include <guv/ssl.h>
#include <guv/ssl.hpp>
#endif
