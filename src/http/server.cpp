#include <sys/eventfd.h>
#include <unistd.h>

#include <system_error>

#include "guv/net.hpp"
#include "http/connection.hpp"
#include "http/core.hpp"

namespace guv::inline v1::http {

Server::Core::Core(int listener, App the_app, Options the_options)
    : options(std::move(the_options)),
      app(std::move(the_app)),
      listener_(listener),
      wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (wake_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Server::Core::~Core() { close(wake_fd_); }

void Server::Core::run() {
  int failure = 0;
  guv_thread* acceptor;
  detail::check(green::spawn([this, &failure] { failure = accept_until_stopped(); }, &acceptor));
  const auto end_accepting = [acceptor] {
    guv_thread_kill(acceptor);
    guv_thread_wait(acceptor, nullptr, GUV_NEVER);
    guv_thread_release(acceptor);
  };
  try {
    detail::check(guv_trampoline(wake_fd_, GUV_READ, GUV_NEVER));
  } catch (...) {  // the caller is killed
    stop(std::chrono::milliseconds(0));
    end_accepting();
    finish();
    throw;
  }
  end_accepting();
  finish();
  if (failure) throw std::system_error(-failure, std::generic_category(), "accept");
}

void Server::Core::stop(std::chrono::milliseconds grace) {
  stop_at_ = guv_now() + std::chrono::nanoseconds(grace).count();
  eventfd_write(wake_fd_, 1);
}

// Returns why the listener is of no more use, 0 after stop().
int Server::Core::accept_until_stopped() {
  int error = 0;
  while (!stopping() && error == 0) {
    wait_for_room();
    error = accept_one();
  }
  if (error) stop(std::chrono::milliseconds(0));
  return error;
}

void Server::Core::wait_for_room() {
  const auto full = [](void* data) -> int {
    const auto* core = static_cast<const Core*>(data);
    return core->count_ >= core->options.max_connections && !core->stopping();
  };
  guv_wait(&count_, full, this, GUV_NEVER);
}

int Server::Core::accept_one() {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  const int fd = guv_accept(listener_, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC, GUV_NEVER);
  if (fd >= 0) {
    serve(fd, Address(reinterpret_cast<const sockaddr*>(&peer), length));
    return 0;
  }
  if (detail::is_passing_accept_error(fd) || fd == -ECANCELED) return 0;
  if (!detail::is_accept_shortage(fd)) return fd;
  log_error("accept: " + std::generic_category().message(-fd));
  guv_sleep_until(guv_now() + 100'000'000);  // until some connection has ended, perhaps
  return 0;
}

void Server::Core::serve(int fd, const Address& peer) {
  auto* const connection = new Connection(*this, fd, peer);
  ++count_;
  {
    const std::lock_guard guard(lock_);
    list_.push_back(connection);
  }
  // Ends the connection also where the application ends its thread.
  const std::shared_ptr<Connection> own(connection, [core = shared_from_this()](Connection* it) { core->end(it); });
  const int error = green::spawn([own] { own->run(); });
  if (error) log_error("no thread for a connection: " + std::generic_category().message(-error));
}

void Server::Core::end(Connection* connection) {
  {
    const std::lock_guard guard(lock_);
    list_.remove(connection);  // first: nobody may touch its descriptor once the number means something else
  }
  delete connection;
  --count_;
  guv_wake(&count_, SIZE_MAX);
}

void Server::Core::finish() {
  {
    const std::lock_guard guard(lock_);
    for (Connection* each = list_.front(); each; each = list_.next(each)) each->close_if_idle();
  }
  if (wait_until_empty(stop_at_)) return;
  {
    const std::lock_guard guard(lock_);
    for (Connection* each = list_.front(); each; each = list_.next(each)) each->cut_off();
  }
  // Those that only waited for their clients end at once; an application that does something else may take its time.
  wait_until_empty(guv_now() + 1'000'000'000);
}

bool Server::Core::wait_until_empty(std::int64_t until) {
  const auto busy = [](void* count) -> int { return *static_cast<std::atomic<std::size_t>*>(count) > 0; };
  return guv_wait(&count_, busy, &count_, until) == 0;
}

void Server::Core::log_error(std::string_view what) const {
  if (options.error_log) options.error_log(what);
}

Server::Server(int listener, App app, Options options)
    : core_(std::make_shared<Core>(listener, std::move(app), std::move(options))) {}

Server::~Server() = default;

void Server::run() { core_->run(); }

void Server::stop(std::chrono::milliseconds grace) { core_->stop(grace); }

std::size_t Server::connections() const { return core_->connections(); }

void serve(int listener, App app, Options options) { Server(listener, std::move(app), std::move(options)).run(); }

}  // namespace guv::inline v1::http
