#include "core/io/shared_umem.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace trivet::core {

class UmemArea {
 public:
  UmemArea(std::uint8_t* memory, std::size_t bytes, std::size_t places, XskMode mode)
      : memory_(memory), bytes_(bytes), taken_(places, false), mode_(mode) {}
  UmemArea(const UmemArea&) = delete;
  UmemArea& operator=(const UmemArea&) = delete;
  ~UmemArea() { ::munmap(memory_, bytes_); }

  [[nodiscard]] std::span<std::uint8_t> memory() const { return {memory_, bytes_}; }
  [[nodiscard]] std::uint64_t offset(std::size_t place) const { return bytes_ / taken_.size() * place; }
  [[nodiscard]] std::span<const int> members() const { return members_; }
  void add(int socket) { members_.push_back(socket); }
  void remove(int socket) { std::erase(members_, socket); }
  void retire() { retired_ = true; }

  // The number of a free part; taken_.size(): none.
  [[nodiscard]] std::size_t take(XskMode mode) {
    if (mode != mode_ || retired_) return taken_.size();
    const auto free = std::ranges::find(taken_, false);
    const auto place = static_cast<std::size_t>(free - taken_.begin());
    if (free != taken_.end()) *free = true;
    return place;
  }
  [[nodiscard]] std::size_t places() const { return taken_.size(); }
  void give_back(std::size_t place) {
    // A driver is told some time after a socket has been closed; until then it may still write.
    if (mode_ == XskMode::copy) taken_[place] = false;
  }

 private:
  std::uint8_t* memory_;
  std::size_t bytes_;
  std::vector<bool> taken_;
  XskMode mode_;
  std::vector<int> members_;
  bool retired_ = false;
};

UmemLease::UmemLease(std::shared_ptr<UmemArea> area, std::size_t place) : area_(std::move(area)), place_(place) {}
UmemLease::UmemLease(UmemLease&& other) noexcept
    : area_(std::move(other.area_)), place_(other.place_), socket_(std::exchange(other.socket_, -1)) {}

UmemLease::~UmemLease() {
  if (area_ == nullptr) return;
  if (socket_ >= 0) area_->remove(socket_);
  area_->give_back(place_);
}

std::span<std::uint8_t> UmemLease::memory() const noexcept { return area_->memory(); }
std::uint64_t UmemLease::first_chunk() const noexcept { return area_->offset(place_); }
std::span<const int> UmemLease::members() const noexcept { return area_->members(); }
void UmemLease::join(int socket) {
  socket_ = socket;
  area_->add(socket);
}

Result<UmemLease> UmemStore::lease(XskMode mode) {
  std::erase_if(areas_, [](const auto& area) { return area.expired(); });
  for (const auto& known : areas_) {
    std::shared_ptr<UmemArea> area = known.lock();
    if (const std::size_t place = area->take(mode); place != area->places()) return UmemLease{std::move(area), place};
  }
  const std::size_t bytes = std::size_t{sizes_.queues} * (sizes_.receive_chunks + sizes_.send_chunks) * chunk_bytes;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return fail(std::string{"no memory for AF_XDP: "} + std::strerror(errno));
  // Registered pages would be copied for each process that is forked.
  static_cast<void>(::madvise(memory, bytes, MADV_DONTFORK));
  auto area = std::make_shared<UmemArea>(static_cast<std::uint8_t*>(memory), bytes, sizes_.queues, mode);
  areas_.push_back(area);
  const std::size_t place = area->take(mode);
  return UmemLease{std::move(area), place};
}

void UmemStore::retire(const UmemLease& lease) {
  for (const auto& known : areas_) {
    const auto area = known.lock();
    if (area != nullptr && area->memory().data() == lease.memory().data()) area->retire();
  }
}

}  // namespace trivet::core
