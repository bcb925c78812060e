// Memory that AF_XDP sockets share (UMEM): frames of several queues and interfaces lie in one registered area.
//
// An area has room for a few queues. The first socket registers it with the kernel; each further one joins by naming a
// socket that is in it (XDP_SHARED_UMEM), with rings of its own. Any socket that is bound will do, so the first one can
// go, and an interface that disappears takes nobody else along. A socket inherits whether drivers write into the area
// themselves (zero-copy), so both kinds have areas of their own. Full areas are followed by new ones.
// Thread: control. The bytes belong to the worker that has the queue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "trivet/result.h"

namespace trivet::core {

enum class XskMode : std::uint8_t { copy, zero_copy };

struct UmemSizes {
  std::uint32_t receive_chunks = 2048;  // of one queue; both powers of two
  std::uint32_t send_chunks = 1024;
  std::uint32_t queues = 4;  // in one area
};

class UmemArea;

// One queue's part of an area, and its membership. Gives the part back when it ends (zero-copy:
// with the area only, as the driver may still write into it).
class UmemLease {
 public:
  UmemLease(std::shared_ptr<UmemArea> area, std::size_t place);
  UmemLease(UmemLease&& other) noexcept;
  UmemLease& operator=(UmemLease&&) = delete;
  UmemLease(const UmemLease&) = delete;
  UmemLease& operator=(const UmemLease&) = delete;
  ~UmemLease();

  [[nodiscard]] std::span<std::uint8_t> memory() const noexcept;  // the whole area
  [[nodiscard]] std::uint64_t first_chunk() const noexcept;       // of this part: offset within the area
  // Sockets that are bound to the area; empty: ours has to register it.
  [[nodiscard]] std::span<const int> members() const noexcept;
  void join(int socket);

 private:
  std::shared_ptr<UmemArea> area_;
  std::size_t place_;
  int socket_ = -1;
};

class UmemStore {
 public:
  static constexpr std::size_t chunk_bytes = 4096;
  // Where the chunk begins that an address of the area lies in.
  [[nodiscard]] static constexpr std::uint64_t chunk_of(std::uint64_t address) {
    return address & ~std::uint64_t{chunk_bytes - 1};
  }

  explicit UmemStore(UmemSizes sizes = {}) : sizes_(sizes) {}
  [[nodiscard]] const UmemSizes& sizes() const noexcept { return sizes_; }
  [[nodiscard]] Result<UmemLease> lease(XskMode mode);
  // The area of the lease takes no further queues: nobody in it can be joined any more.
  void retire(const UmemLease& lease);

 private:
  UmemSizes sizes_;
  std::vector<std::weak_ptr<UmemArea>> areas_;
};

}  // namespace trivet::core
