#include "slb/zeroed_array.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>

namespace trivet::slb {
namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20U;

}  // namespace

ZeroedMemory::ZeroedMemory(std::size_t bytes) {
  const bool is_large = bytes >= huge_page;
  // Room to begin at a huge page.
  mapped_ = std::max<std::size_t>(bytes, 1) + (is_large ? huge_page : 0);
  mapping_ = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping_ == MAP_FAILED) throw std::bad_alloc();
  data_ = mapping_;
  if (!is_large) return;
  std::size_t room = mapped_;
  data_ = std::align(huge_page, bytes, data_, room);
  // A wish: without it the table works as well, only slower.
  static_cast<void>(::madvise(data_, bytes, MADV_HUGEPAGE));
}

ZeroedMemory::~ZeroedMemory() { ::munmap(mapping_, mapped_); }

}  // namespace trivet::slb
