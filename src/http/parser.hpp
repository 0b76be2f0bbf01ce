// Requests are taken apart by Boost.Beast's parser (decision 09). What it lets pass and a server must not is refused
// here.
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "guv/http.hpp"

namespace guv::inline v1::http {

/// What the head of a request says. The views point into the buffer that the parser was fed from.
struct Head {
  std::string_view method;
  std::string_view target;
  int version = 11;
  std::vector<Header> fields;
  std::optional<std::uint64_t> length;  // Content-Length
  bool chunked = false;
  bool keep_alive = false;
  bool expects_continue = false;
  bool upgrade = false;  // Connection: upgrade

  const Header* find(std::string_view name) const;
};

/// Parses one request, then is of no more use.
class Parser final : private boost::beast::http::basic_parser<true> {
 public:
  enum class Step {
    more,  // everything that was fed is used, or what is left is too little to go on with
    head,  // the head is complete
    body,  // piece() is a part of the body
    done,  // the request is complete
    bad,   // the request is to be refused with status()
  };

  /// The head is written to `head`.
  Parser(Head& head, const Options& options);

  /// Uses some of `input`, which must begin with what was left of the last, and tells how far that led.
  Step feed(std::string_view input, std::size_t& used);

  std::string_view piece() const { return piece_; }
  int status() const { return status_; }
  /// Has it been fed anything?
  bool begun() const { return got_some(); }

 private:
  using Error = boost::beast::error_code;
  using View = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb, View method, View target, int version, Error& error) override;
  void on_response_impl(int, View, int, Error&) override {}
  void on_field_impl(boost::beast::http::field field, View name, View value, Error& error) override;
  void on_header_impl(Error& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Error&) override {}
  std::size_t on_body_impl(View piece, Error& error) override;
  void on_chunk_header_impl(std::uint64_t, View extension, Error& error) override;
  std::size_t on_chunk_body_impl(std::uint64_t, View piece, Error& error) override;
  void on_finish_impl(Error&) override {}

  void check_size(std::size_t taken, std::string_view left, Error& error);
  bool on_one_line(std::string_view name, std::string_view value) const;
  int status_of_field(boost::beast::http::field field, std::string_view value);
  void refuse(int status, Error& error);
  Step failed(const Error& error, std::string_view rest);

  Head& head_;
  const Options& options_;
  std::string_view input_;
  std::string_view piece_;
  std::size_t head_size_ = 0;
  int status_ = 0;
  int hosts_ = 0;
  bool has_line_ = false;
  bool has_head_ = false;
  bool has_length_ = false;
  bool has_coding_ = false;
};

}  // namespace guv::inline v1::http
