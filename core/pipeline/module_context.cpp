#include "core/pipeline/module_context.h"

#include <algorithm>
#include <cassert>

namespace trivet::core {

namespace {

// The largest frame that a small buffer holds.
constexpr std::size_t acquired_bytes = PoolSizes{}.small_bytes - PacketPool::headroom;

}  // namespace

Packet* ModuleContext::acquire() noexcept {
  if (outstanding_count_ == max_outstanding) return nullptr;
  Packet* const packet = around_.pool.acquire(acquired_bytes);
  if (packet != nullptr) outstanding_[outstanding_count_++] = packet;
  return packet;
}

void ModuleContext::hand_over(Packet* packet, Verdict verdict) noexcept {
  const auto end = outstanding_.begin() + static_cast<std::ptrdiff_t>(outstanding_count_);
  const auto at = std::find(outstanding_.begin(), end, packet);
  assert(at != end);
  if (at == end) return;
  *at = outstanding_[--outstanding_count_];
  switch (verdict.kind()) {
    case Verdict::Kind::forward:
      return around_.egress.forward(packet);
    case Verdict::Kind::originate:
      return around_.egress.originate(packet);
    case Verdict::Kind::transmit:
      return around_.egress.transmit(packet);
    case Verdict::Kind::drop:
      return around_.egress.drop(packet, verdict.reason());
    case Verdict::Kind::next:
    case Verdict::Kind::punt:
    case Verdict::Kind::consumed:
      break;
  }
  around_.egress.drop(packet, around_.reasons.invalid_verdict);
}

void ModuleContext::take_back() noexcept {
  while (outstanding_count_ > 0)
    around_.egress.drop(outstanding_[--outstanding_count_], around_.reasons.not_handed_over);
}

}  // namespace trivet::core
