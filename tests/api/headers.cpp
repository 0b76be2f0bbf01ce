// All that is installed, as programs with many warnings include it.
#include <guv/guv.hpp>
#include <guv/http.h>
#include <guv/http.hpp>
#include <guv/websocket.hpp>
