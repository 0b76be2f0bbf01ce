// Names. libc's own resolver runs on the green thread, and its socket calls come back through libc's patched entries.
#include <netdb.h>

#include "entry_patch.hpp"
#include "interpose.hpp"

namespace guv {

namespace {

/// Parks within `call` where its socket calls lead to guv, else makes it on a helper.
template <class Call>
auto resolve(Call call) {
  constexpr uint32_t its_calls = bit(Family::socket) | bit(Family::select) | bit(Family::io);
  return entries_are_patched(its_calls) ? call() : offload(call);
}

}  // namespace

}  // namespace guv

using namespace guv;

GUV_INTERPOSE(int, getaddrinfo, (const char* node, const char* service, const addrinfo* hints, addrinfo** result)) {
  static const auto next = GUV_NEXT(getaddrinfo);
  return resolve([=] { return next(node, service, hints, result); });
}

GUV_INTERPOSE(int, getnameinfo,
              (const sockaddr* address, socklen_t length, char* host, socklen_t host_size, char* service,
               socklen_t service_size, int flags)) {
  static const auto next = GUV_NEXT(getnameinfo);
  return resolve([=] { return next(address, length, host, host_size, service, service_size, flags); });
}

GUV_INTERPOSE(hostent*, gethostbyname, (const char* name)) {
  static const auto next = GUV_NEXT(gethostbyname);
  return resolve([=] { return next(name); });
}

GUV_INTERPOSE(hostent*, gethostbyname2, (const char* name, int family)) {
  static const auto next = GUV_NEXT(gethostbyname2);
  return resolve([=] { return next(name, family); });
}

GUV_INTERPOSE(hostent*, gethostbyaddr, (const void* address, socklen_t length, int family)) {
  static const auto next = GUV_NEXT(gethostbyaddr);
  return resolve([=] { return next(address, length, family); });
}

GUV_INTERPOSE(int, gethostbyname_r,
              (const char* name, hostent* entry, char* buffer, size_t size, hostent** result, int* error)) {
  static const auto next = GUV_NEXT(gethostbyname_r);
  return resolve([=] { return next(name, entry, buffer, size, result, error); });
}

GUV_INTERPOSE(int, gethostbyname2_r,
              (const char* name, int family, hostent* entry, char* buffer, size_t size, hostent** result, int* error)) {
  static const auto next = GUV_NEXT(gethostbyname2_r);
  return resolve([=] { return next(name, family, entry, buffer, size, result, error); });
}

GUV_INTERPOSE(int, gethostbyaddr_r,
              (const void* address, socklen_t length, int family, hostent* entry, char* buffer, size_t size,
               hostent** result, int* error)) {
  static const auto next = GUV_NEXT(gethostbyaddr_r);
  return resolve([=] { return next(address, length, family, entry, buffer, size, result, error); });
}

// These two wait for threads of libc's own.

GUV_INTERPOSE(int, getaddrinfo_a, (int mode, gaicb* list[], int count, sigevent* event)) {
  static const auto next = GUV_NEXT(getaddrinfo_a);
  const auto call = [=] { return next(mode, list, count, event); };
  return mode == GAI_WAIT ? offload(call) : call();
}

GUV_INTERPOSE(int, gai_suspend, (const gaicb* const list[], int count, const timespec* timeout)) {
  static const auto next = GUV_NEXT(gai_suspend);
  return offload([=] { return next(list, count, timeout); });
}
