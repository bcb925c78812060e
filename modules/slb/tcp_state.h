// What a session knows about its connection, from the flags that pass by (RFC 9293 section 3.3.2, seen from between).
//
//            client SYN           target SYN+ACK            client ACK
//   (none) ------------> syn_sent ------------> syn_received ------------> established
//                            | DSR: client ACK                                 ^  |
//                            +--------------------------------------------------  |
//                                                                                 | FIN of one side
//        closed <----------------------- fin_client, fin_target <-----------------+
//               FIN of the other side       any state, RST: -> reset
//
// joined: a connection that was met in its middle (method hash); established as soon as the target answers it.
// A reset connection that goes on talking was reset by a forgery, for sequence numbers are not looked at: it is kept as
// long as segments without RST come, and once both sides have sent one it is established again:
//
//        reset ---client---> reset_client ---target---> established     (RST of either side: back to reset)
//              ---target---> reset_target ---client---> established
//
// A SYN in closed or one of the reset states (with direct server return, where half of the flags go past us, also in
// fin_client) begins a new connection.
// Thread: any; pure. `idle` is every session that is no tracked connection: sessionid src, UDP, other protocols.
#pragma once

#include <cstdint>
#include <string_view>

#include "trivet/wire/headers.h"

namespace trivet::slb {

enum class SessionState : std::uint8_t {
  none,  // the entry is free
  idle,
  syn_sent,
  syn_received,
  joined,
  established,
  fin_client,
  fin_target,
  closed,
  reset,
  reset_client,  // and the client has spoken since
  reset_target,
};

// The handshake is not over: this is what a flood of SYN consists of.
[[nodiscard]] constexpr bool is_half_open(SessionState state) noexcept {
  return state == SessionState::syn_sent || state == SessionState::syn_received || state == SessionState::joined;
}
[[nodiscard]] constexpr bool is_reset(SessionState state) noexcept {
  return state == SessionState::reset || state == SessionState::reset_client || state == SessionState::reset_target;
}

enum class Side : std::uint8_t { client, target };
enum class Visibility : std::uint8_t { both_ways, client_only };  // client_only: direct server return

[[nodiscard]] SessionState next_state(SessionState state, std::uint8_t tcp_flags, Side from, Visibility seen) noexcept;

// True when next_state(established, flags) is established, whoever speaks: nothing but data and acknowledgements.
[[nodiscard]] constexpr bool is_plain(std::uint8_t tcp_flags) noexcept {
  return (tcp_flags & (wire::TcpHeader::syn | wire::TcpHeader::fin | wire::TcpHeader::rst)) == 0;
}

// True for a client's segment that begins a connection: SYN alone.
[[nodiscard]] constexpr bool opens_connection(std::uint8_t tcp_flags) noexcept {
  constexpr std::uint8_t deciding =
      wire::TcpHeader::syn | wire::TcpHeader::ack | wire::TcpHeader::rst | wire::TcpHeader::fin;
  return (tcp_flags & deciding) == wire::TcpHeader::syn;
}
// True when such a segment must not be taken for a part of the connection that the entry in `state` stands for.
[[nodiscard]] bool may_be_replaced(SessionState state, Visibility seen) noexcept;

// Life of an entry after its last packet, in milliseconds. `idle` is the configured session timeout.
inline constexpr std::uint32_t syn_timeout = 60'000;
inline constexpr std::uint32_t half_closed_timeout = 120'000;
inline constexpr std::uint32_t closed_timeout = 10'000;
inline constexpr std::uint32_t datagram_timeout = 120'000;  // a UDP flow with a session of its own
[[nodiscard]] std::uint32_t timeout_of(SessionState state, std::uint32_t idle) noexcept;

[[nodiscard]] std::string_view to_string(SessionState state);

}  // namespace trivet::slb
