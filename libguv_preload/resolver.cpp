// Names. libc's own resolver runs on the green thread, and its socket calls come back through libc's patched entries.
#include <netdb.h>

#include "base/config.hpp"
#include "entry_patch.hpp"
#include "hub/signals.hpp"
#include "interpose.hpp"

namespace guv {

namespace {

/// `call` as configured: parked within, blocking as natively, or, where libc cannot be patched, on a helper.
template <class Call>
auto resolve(Call call) {
  if (!self()) return call();
  if (!config().green_dns || !config().has(Family::dns)) {
    const signals::NativeScope native;
    return call();
  }
  return libc_is_patched() ? call() : offload(call);
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, getaddrinfo, (const char* node, const char* service, const addrinfo* hints, addrinfo** result)) {
  static const auto real_function = next_symbol<decltype(&getaddrinfo)>("getaddrinfo");
  return resolve([=] { return real_function(node, service, hints, result); });
}

GUV_INTERPOSE(int, getnameinfo,
              (const sockaddr* address, socklen_t length, char* host, socklen_t host_size, char* service,
               socklen_t service_size, int flags)) {
  static const auto real_function = next_symbol<decltype(&getnameinfo)>("getnameinfo");
  return resolve([=] { return real_function(address, length, host, host_size, service, service_size, flags); });
}

GUV_INTERPOSE(hostent*, gethostbyname, (const char* name)) {
  static const auto real_function = next_symbol<decltype(&gethostbyname)>("gethostbyname");
  return resolve([=] { return real_function(name); });
}

GUV_INTERPOSE(hostent*, gethostbyname2, (const char* name, int family)) {
  static const auto real_function = next_symbol<decltype(&gethostbyname2)>("gethostbyname2");
  return resolve([=] { return real_function(name, family); });
}

GUV_INTERPOSE(hostent*, gethostbyaddr, (const void* address, socklen_t length, int family)) {
  static const auto real_function = next_symbol<decltype(&gethostbyaddr)>("gethostbyaddr");
  return resolve([=] { return real_function(address, length, family); });
}

GUV_INTERPOSE(int, gethostbyname_r,
              (const char* name, hostent* entry, char* buffer, size_t size, hostent** result, int* error)) {
  static const auto real_function = next_symbol<decltype(&gethostbyname_r)>("gethostbyname_r");
  return resolve([=] { return real_function(name, entry, buffer, size, result, error); });
}

GUV_INTERPOSE(int, gethostbyname2_r,
              (const char* name, int family, hostent* entry, char* buffer, size_t size, hostent** result, int* error)) {
  static const auto real_function = next_symbol<decltype(&gethostbyname2_r)>("gethostbyname2_r");
  return resolve([=] { return real_function(name, family, entry, buffer, size, result, error); });
}

GUV_INTERPOSE(int, gethostbyaddr_r,
              (const void* address, socklen_t length, int family, hostent* entry, char* buffer, size_t size,
               hostent** result, int* error)) {
  static const auto real_function = next_symbol<decltype(&gethostbyaddr_r)>("gethostbyaddr_r");
  return resolve([=] { return real_function(address, length, family, entry, buffer, size, result, error); });
}
