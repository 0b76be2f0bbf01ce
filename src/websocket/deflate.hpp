// Messages made smaller by zlib: permessage-deflate, RFC 7692.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "guv/websocket.hpp"

namespace guv::inline v1 {

/// What client and server agree upon: RFC 7692, 7.1.
struct DeflateTerms {
  /// How one side compresses: looking back that far, and into messages before?
  struct Side {
    int window_bits = 15;
    bool takes_over = true;
  };
  Side server, client;
  std::string answer;  // for the client, in Sec-WebSocket-Extensions
};

/// The first of the client's offers that can be had; none when there is none.
std::optional<DeflateTerms> agree_on_deflate(std::string_view offers, const WebSocketOptions& options);

/// No longer messages are compressed: zlib counts in unsigned int.
constexpr std::size_t max_deflated = UINT32_MAX;

class Deflater {
 public:
  explicit Deflater(DeflateTerms::Side side);
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  /// `message` as it is sent. It has 1 to max_deflated bytes.
  std::string deflated(std::string_view message);

 private:
  const bool takes_over_;
  z_stream stream_{};
};

class Inflater {
 public:
  explicit Inflater(DeflateTerms::Side side);
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// Replaces `message` by what it was before the client compressed it. Returns 0, or the code to close with: it is
  /// more than `limit` bytes, or not the output of a compressor. No more than that is made of it.
  std::uint16_t inflate(std::string& message, std::size_t limit);

 private:
  const bool takes_over_;
  z_stream stream_{};
};

}  // namespace guv::inline v1
