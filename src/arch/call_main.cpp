#include "arch/call_main.hpp"

extern "C" int guv::guv_call_main(int argc, char** argv, char** environment, int (*main)(int, char**, char**)) {
  return main(argc, argv, environment);
}
