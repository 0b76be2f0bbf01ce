// What a program that links libguv can make green, and how far that reaches. It never switches on a family: gates only
// open.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <guv/guv.hpp>

namespace {

using Read = decltype(::read);

constexpr const char* libraries[] = {LIBRARIES "/libpatched_lazy.so", LIBRARIES "/libpatched_now.so",
                                     LIBRARIES "/libpatched_noplt.so"};

/// Whether another green thread runs while `read` waits for the end of a pipe. What ends the wait is a kernel thread:
/// when the other one has run, or, since that must not happen when the hub is held up, after a while.
template <class Function>
testing::AssertionResult others_go_on(bool expected, Function read) {
  int data[2], told[2];
  EXPECT_EQ(pipe(data), 0);
  EXPECT_EQ(pipe(told), 0);
  std::thread ender([&] {
    pollfd asked{told[0], POLLIN, 0};
    poll(&asked, 1, expected ? 60'000 : 20);
    EXPECT_EQ(write(data[1], "e", 1), 1);
  });
  std::atomic<bool> ran{false};
  auto other = guv::spawn([&] {
    ran = true;
    EXPECT_EQ(write(told[1], "r", 1), 1);
  });
  char byte = 0;
  EXPECT_EQ(read(data[0], &byte, 1), 1);
  const bool seen = ran;
  other.get();
  ender.join();
  for (const int fd : {data[0], data[1], told[0], told[1]}) close(fd);
  if (seen == expected) return testing::AssertionSuccess();
  return testing::AssertionFailure() << (seen ? "others went on" : "the hub was held up");
}

class Patcher : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(guv_start(), 0); }
};

int error_of(auto function) {
  try {
    function();
  } catch (const std::system_error& error) {
    return error.code().value();
  }
  return 0;
}

// ---- families -------------------------------------------------------------------------------------------------------

TEST_F(Patcher, ALinkedProgramIsLeftAlone) {
  for (const char* name : {"all", "io", "thread", "read", "pthread_create"})
    EXPECT_FALSE(guv::is_monkey_patched(name)) << name;
  EXPECT_TRUE(others_go_on(false, &::read));
}

TEST_F(Patcher, WhatGuvMustSeeAlwaysLeadsThere) {
  for (const char* name : {"close", "pthread_join", "sigaction", "execve"})
    EXPECT_TRUE(guv::is_monkey_patched(name)) << name;
  for (const char* name : {"strlen", "no_such_function", ""}) EXPECT_FALSE(guv::is_monkey_patched(name)) << name;
}

TEST_F(Patcher, AnUnknownFamilyChangesNothing) {
  EXPECT_THROW(guv::monkey_patch("time", "nonsense"), std::invalid_argument);
  EXPECT_FALSE(guv::is_monkey_patched("time"));
  EXPECT_EQ(guv_monkey_patch("time,nonsense"), -EINVAL);
  EXPECT_EQ(guv_monkey_patch("none"), 0);
  EXPECT_FALSE(guv::is_monkey_patched("time"));
}

// ---- originals ------------------------------------------------------------------------------------------------------

TEST_F(Patcher, TheOriginalOfAnyNameIsFound) {
  EXPECT_EQ(guv::original<decltype(::strlen)>("strlen")("four"), 4u);
  EXPECT_EQ(guv::original("no_such_function"), nullptr);
  EXPECT_NE(guv_original("vfork"), nullptr);
  EXPECT_EQ(guv::original("read"), guv_original("__read"));
  // Variadic ones take what they are given.
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const int copy = guv::original<int(int, int, ...)>("fcntl")(ends[0], F_DUPFD, 100);
  EXPECT_GE(copy, 100);
  for (const int fd : {ends[0], ends[1], copy}) close(fd);
}

// ---- one call -------------------------------------------------------------------------------------------------------

TEST_F(Patcher, AFunctionIsPatchedWhileItRuns) {
  auto patched = guv::patch_function(&::read);
  EXPECT_TRUE(others_go_on(true, patched));
  EXPECT_TRUE(others_go_on(false, &::read));
  EXPECT_TRUE(others_go_on(true, guv::patch_function(patched)));
}

TEST_F(Patcher, AFunctionIsPatchedForItsThreadOnly) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  auto waiting = guv::spawn([&] {
    char byte;
    guv::patch_function (&::read)(ends[0], &byte, 1);
  });
  guv::gyield();
  EXPECT_TRUE(others_go_on(false, &::read));
  EXPECT_EQ(write(ends[1], "e", 1), 1);
  waiting.get();
  close(ends[0]);
  close(ends[1]);
}

TEST_F(Patcher, AFunctionThatThrowsIsLeft) {
  auto failing = guv::patch_function([](int) -> int { throw std::out_of_range("failing"); });
  EXPECT_THROW(failing(1), std::out_of_range);
  EXPECT_TRUE(others_go_on(false, &::read));
}

// ---- one library ----------------------------------------------------------------------------------------------------

class ALibrary : public Patcher, public testing::WithParamInterface<const char*> {};

TEST_P(ALibrary, IsGreenWhileThePatchLives) {
  // It stays loaded all the time.
  void* plain = dlopen(GetParam(), RTLD_LAZY);
  ASSERT_NE(plain, nullptr) << dlerror();
  auto* read = reinterpret_cast<Read*>(dlsym(plain, "library_read"));
  auto* read_by_pointer = reinterpret_cast<Read*>(dlsym(plain, "library_read_by_pointer"));
  EXPECT_TRUE(others_go_on(false, read));
  EXPECT_TRUE(others_go_on(false, read_by_pointer));
  {
    const guv::PatchedLibrary library = guv::import_patched(GetParam());
    EXPECT_EQ(library.symbol<Read>("library_read"), read);
    EXPECT_TRUE(others_go_on(true, read));
    EXPECT_TRUE(others_go_on(true, read_by_pointer));
    EXPECT_TRUE(others_go_on(false, &::read));
  }
  EXPECT_TRUE(others_go_on(false, read));
  EXPECT_TRUE(others_go_on(false, read_by_pointer));
  dlclose(plain);
}

int counted;
ssize_t counting_read(int fd, void* buffer, size_t size) {
  ++counted;
  return read(fd, buffer, size);
}

TEST_P(ALibrary, CallsWhatIsInjected) {
  void* library = dlopen(GetParam(), RTLD_LAZY);
  ASSERT_NE(library, nullptr) << dlerror();
  auto* read = reinterpret_cast<Read*>(dlsym(library, "library_read"));
  auto* read_by_pointer = reinterpret_cast<Read*>(dlsym(library, "library_read_by_pointer"));
  char byte;
  counted = 0;
  {
    const guv::Patch patch = guv::inject(library, {{"read", &counting_read}});
    EXPECT_EQ(read(-1, &byte, 1), -1);
    EXPECT_EQ(read_by_pointer(-1, &byte, 1), -1);
    EXPECT_EQ(counted, 2);
  }
  read(-1, &byte, 1);
  read_by_pointer(-1, &byte, 1);
  EXPECT_EQ(counted, 2);
  // A patch outlives the program's own handle.
  guv::Patch patch = guv::inject(library, {{"read", &counting_read}});
  dlclose(library);
  EXPECT_EQ(read(-1, &byte, 1), -1);
  EXPECT_EQ(counted, 3);
}

INSTANTIATE_TEST_SUITE_P(Built, ALibrary, testing::ValuesIn(libraries), [](const auto& info) {
  const std::string path = info.param;
  const size_t start = path.rfind('_') + 1;
  return path.substr(start, path.rfind('.') - start);
});

TEST_F(Patcher, AnInjectionThatIsImpossibleChangesNothing) {
  void* library = dlopen(libraries[0], RTLD_LAZY);
  ASSERT_NE(library, nullptr) << dlerror();
  counted = 0;
  EXPECT_EQ(error_of([=] { (void)guv::inject(library, {{"read", &counting_read}, {"strlen", &strlen}}); }), ENOENT);
  char byte;
  reinterpret_cast<Read*>(dlsym(library, "library_read"))(-1, &byte, 1);
  EXPECT_EQ(counted, 0);
  EXPECT_EQ(error_of([] { (void)guv::inject(nullptr, {{"read", &counting_read}}); }), EINVAL);
  dlclose(library);
}

TEST_F(Patcher, TheProgramItselfCanBeInjected) {
  void* program = dlopen(nullptr, RTLD_LAZY);
  const auto pid = getpid();
  {
    const guv::Patch patch = guv::inject(program, {{"getpid", +[]() -> pid_t { return 7; }}});
    EXPECT_EQ(getpid(), 7);
  }
  EXPECT_EQ(getpid(), pid);
  dlclose(program);
}

TEST_F(Patcher, ALibraryIsPatchedWithWhatItNeeds) {
  const char* path = LIBRARIES "/libpatched_dependent.so";
  {
    const guv::PatchedLibrary alone = guv::import_patched(path);
    EXPECT_TRUE(others_go_on(false, alone.symbol<Read>("dependent_read")));
  }
  const guv::PatchedLibrary with = guv::import_patched(path, RTLD_NOW | GUV_WITH_DEPENDENCIES);
  EXPECT_TRUE(others_go_on(true, with.symbol<Read>("dependent_read")));
}

TEST_F(Patcher, ALibraryThatImportsNothingIsLoaded) {
  const guv::PatchedLibrary library = guv::import_patched(LIBRARIES "/libpatched_nothing.so");
  EXPECT_EQ(library.symbol<int()>("library_answer")(), 42);
  EXPECT_THROW(library.symbol<int()>("no_such_function"), std::out_of_range);
}

TEST_F(Patcher, AMissingLibraryIsAnError) {
  EXPECT_EQ(error_of([] { (void)guv::import_patched("/no/such/library.so"); }), ENOENT);
  EXPECT_EQ(error_of([] { (void)guv::import_patched("libno-such-library.so"); }), ENOENT);
  EXPECT_EQ(error_of([] { (void)guv::import_patched("/etc/passwd"); }), ENOEXEC);
  EXPECT_NE(dlerror(), nullptr);
}

// ---- a real one -----------------------------------------------------------------------------------------------------

/// Answers requests only when `expected` of them have come: they must all be under way at once.
class Server {
 public:
  explicit Server(size_t expected) : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 128), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, expected] { serve(expected); });
  }
  ~Server() {
    thread_.join();
    close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  // On a kernel thread: all these calls are native.
  void serve(size_t expected) {
    std::vector<int> clients;
    while (clients.size() < expected) clients.push_back(accept(listener_, nullptr, nullptr));
    for (const int client : clients) {
      std::string request(4096, '\0');
      EXPECT_GT(recv(client, request.data(), request.size(), 0), 0);
      const std::string_view answer = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello";
      EXPECT_EQ(send(client, answer.data(), answer.size(), 0), static_cast<ssize_t>(answer.size()));
      close(client);
    }
  }

  int listener_;
  uint16_t port_ = 0;
  std::thread thread_;
};

size_t append(char* data, size_t size, size_t count, void* text) {
  static_cast<std::string*>(text)->append(data, size * count);
  return size * count;
}

TEST_F(Patcher, LibcurlFetchesOnManyGreenThreadsAtOnce) {
  void* handle = nullptr;
  if (guv_import_patched("libcurl.so.4", RTLD_NOW, &handle, nullptr) != 0) GTEST_SKIP() << dlerror();
  const guv::PatchedLibrary curl(handle, nullptr);
  constexpr int url = 10002, write_function = 20011, write_data = 10001, no_signal = 99;  // curl/curl.h
  curl.symbol<int(long)>("curl_global_init")(3);  // else done by whoever comes first, the others spinning until it is done
  auto* init = curl.symbol<void*()>("curl_easy_init");
  auto* set = curl.symbol<int(void*, int, ...)>("curl_easy_setopt");
  auto* perform = curl.symbol<int(void*)>("curl_easy_perform");
  auto* cleanup = curl.symbol<void(void*)>("curl_easy_cleanup");
  constexpr size_t count = 20;
  const Server server(count);
  std::vector<guv::GreenThread<std::string>> threads;
  for (size_t i = 0; i < count; ++i) {
    threads.push_back(guv::spawn([&] {
      std::string text;
      void* request = init();
      set(request, url, server.url().c_str());
      set(request, write_function, &append);
      set(request, write_data, &text);
      set(request, no_signal, 1L);
      EXPECT_EQ(perform(request), 0);
      cleanup(request);
      return text;
    }));
  }
  for (auto& thread : threads) EXPECT_EQ(thread.get(), "hello");
  EXPECT_FALSE(guv::is_monkey_patched("socket"));
}

}  // namespace
