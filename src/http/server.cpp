#include <sys/eventfd.h>
#include <unistd.h>

#include <system_error>

#include "guv/green_thread.hpp"
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
  auto acceptor = spawn([this] { accept_until_stopped(); });
  try {
    detail::check(guv_trampoline(wake_fd_, GUV_READ, GUV_NEVER));
  } catch (...) {  // the caller is killed
    stop(std::chrono::milliseconds(0));
    acceptor.kill();
    acceptor.join();
    finish();
    throw;
  }
  acceptor.kill();
  acceptor.join();
  finish();
  try {
    acceptor.get();  // throws why the listener failed
  } catch (const GreenExit&) {
  }
}

void Server::Core::stop(std::chrono::milliseconds grace) {
  stop_at_ = guv_now() + std::chrono::nanoseconds(grace).count();
  eventfd_write(wake_fd_, 1);
}

void Server::Core::accept_until_stopped() {
  try {
    while (!stopping()) {
      wait_for_room();
      accept_one();
    }
  } catch (const GreenExit&) {
    throw;  // run() has seen the stop
  } catch (...) {
    stop(std::chrono::milliseconds(0));
    throw;
  }
}

void Server::Core::wait_for_room() {
  const auto full = [](void* data) -> int {
    const auto* core = static_cast<const Core*>(data);
    return core->count_ >= core->options.max_connections && !core->stopping();
  };
  detail::check(guv_wait(&count_, full, this, GUV_NEVER));
}

void Server::Core::accept_one() {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  const int fd = guv_accept(listener_, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC, GUV_NEVER);
  if (detail::is_passing_accept_error(fd)) return;
  if (detail::is_accept_shortage(fd)) {
    log_error("accept: " + std::generic_category().message(-fd));
    sleep(std::chrono::milliseconds(100));  // until some connection has ended, perhaps
    return;
  }
  Socket client(detail::check(fd));
  try {
    serve(std::move(client), Address(reinterpret_cast<const sockaddr*>(&peer), length));
  } catch (const std::exception& error) {
    log_error(std::string("no room for a connection: ") + error.what());
  }
}

void Server::Core::serve(Socket client, const Address& peer) {
  auto* const connection = new Connection(*this, std::move(client), peer);
  ++count_;
  {
    const std::lock_guard guard(lock_);
    list_.push_back(connection);
  }
  // Ends the connection also where the application ends its thread.
  const std::shared_ptr<Connection> own(connection, [core = shared_from_this()](Connection* it) { core->end(it); });
  spawn_n([own] { own->run(); });
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
