// The rings of an AF_XDP socket, with the kernel's side played by the test.
#include "core/io/xsk_frames.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <set>
#include <vector>

#include "core/io/shared_umem.h"
#include "trivet/random.h"

namespace trivet::core {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint32_t chunks = 8;
constexpr std::uint64_t frame_at = 256;  // the kernel's headroom within a chunk

class XskFrames : public testing::Test {
 protected:
  XskFrames() : memory_(chunks * UmemStore::chunk_bytes), pool_({.small_count = 64, .large_count = 1}) {
    fill_ = {0, chunks, chunks - 1, chunks, &fill_producer_, &fill_consumer_, fill_ring_.data(), &flags_};
    receive_ = {0, 0, chunks - 1, chunks, &receive_producer_, &receive_consumer_, receive_ring_.data(), &flags_};
    std::uint32_t at = 0;
    EXPECT_EQ(xsk_ring_prod__reserve(&fill_, chunks, &at), chunks);
    for (std::uint64_t i = 0; i < chunks; ++i) {
      *xsk_ring_prod__fill_addr(&fill_, at++) = i * UmemStore::chunk_bytes;
    }
    xsk_ring_prod__submit(&fill_, chunks);
  }

  // --- the kernel's side, in the order of its xsk_flush(): frames first, then the places that their chunks have left
  bool put_frame(std::uint8_t mark, std::uint32_t length = 60) {
    if (chunks_taken_ == fill_producer_ || receive_producer_ - receive_consumer_ == chunks) return false;
    const std::uint64_t chunk = fill_ring_[chunks_taken_++ & (chunks - 1)];
    EXPECT_EQ(chunk % UmemStore::chunk_bytes, 0U);
    for (std::uint32_t at = receive_consumer_; at != receive_producer_; ++at) {
      EXPECT_NE(UmemStore::chunk_of(receive_ring_[at & (chunks - 1)].addr), chunk) << "in use twice";
    }
    std::memset(memory_.data() + chunk + frame_at, mark, length);
    receive_ring_[receive_producer_ & (chunks - 1)] = {chunk + frame_at, length, 0};
    ++receive_producer_;
    return true;
  }
  void show_places() { fill_consumer_ = chunks_taken_; }

  // What the worker gets: the mark of each frame.
  std::vector<std::uint8_t> take(std::size_t most = 64) {
    std::array<Packet*, 64> packets{};
    const TakenFrames taken = take_frames(receive_, fill_, memory_.data(), pool_, std::span(packets).first(most));
    lost_ += taken.lost;
    std::vector<std::uint8_t> marks;
    for (Packet* const packet : std::span(packets).first(taken.packets)) {
      EXPECT_THAT(packet->frame(), Each(packet->frame()[0]));
      marks.push_back(packet->frame()[0]);
      pool_.release(packet);
    }
    return marks;
  }
  [[nodiscard]] std::set<std::uint64_t> chunks_to_fill() const {
    std::set<std::uint64_t> list;
    for (std::uint32_t at = fill_consumer_; at != fill_producer_; ++at) list.insert(fill_ring_[at & (chunks - 1)]);
    return list;
  }

  std::vector<std::uint8_t> memory_;
  PacketPool pool_;
  std::array<std::uint64_t, chunks> fill_ring_{};
  std::array<xdp_desc, chunks> receive_ring_{};
  std::uint32_t fill_producer_ = 0;
  std::uint32_t fill_consumer_ = 0;
  std::uint32_t receive_producer_ = 0;
  std::uint32_t receive_consumer_ = 0;
  std::uint32_t flags_ = 0;
  xsk_ring_prod fill_{};
  xsk_ring_cons receive_{};
  std::uint32_t chunks_taken_ = 0;  // by the kernel, shown or not
  std::size_t lost_ = 0;
};

TEST_F(XskFrames, AreCopiedAndTheirChunksGoBackToBeFilled) {
  ASSERT_TRUE(put_frame(1) && put_frame(2, 1500));
  show_places();
  EXPECT_THAT(take(), ElementsAre(1, 2));
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_EQ(chunks_to_fill().size(), chunks);
}

TEST_F(XskFrames, ThatShowBeforeTheirPlacesInTheRingToFillWait) {
  ASSERT_TRUE(put_frame(1) && put_frame(2) && put_frame(3));
  // The ring to fill still looks full: what was put there now would overwrite chunks that the kernel has not taken.
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_EQ(fill_producer_, chunks);
  EXPECT_EQ(receive_consumer_, 0U) << "they stay";
  show_places();
  EXPECT_THAT(take(), ElementsAre(1, 2, 3));
  EXPECT_EQ(chunks_to_fill().size(), chunks) << "each chunk once";
}

TEST_F(XskFrames, WaitWhileThePoolHasNoBuffer) {
  std::vector<Packet*> held;
  while (pool_.available_small() > 1) held.push_back(pool_.acquire(60));
  ASSERT_TRUE(put_frame(1) && put_frame(2));
  show_places();
  EXPECT_THAT(take(), ElementsAre(1));
  Packet* const last = pool_.acquire(60);
  EXPECT_THAT(take(), IsEmpty());
  pool_.release(last);
  EXPECT_THAT(take(), ElementsAre(2));
  EXPECT_EQ(lost_, 0U);
  for (Packet* const packet : held) pool_.release(packet);
}

TEST_F(XskFrames, ThatFitNoBufferAreLostAndTheirChunksAreNot) {
  Packet* const large = pool_.acquire(3000);
  ASSERT_TRUE(put_frame(1, 3000) && put_frame(2));
  show_places();
  EXPECT_THAT(take(), ElementsAre(2));
  EXPECT_EQ(lost_, 1U);
  EXPECT_EQ(chunks_to_fill().size(), chunks);
  pool_.release(large);
}

// Whatever the order of the two sides' steps: every frame comes once, in order, and no chunk is lost or used twice.
TEST_F(XskFrames, LoseNoChunkInAnyInterleaving) {
  Random random{11};
  std::uint8_t next = 1;
  std::uint8_t expected = 1;
  for (int step = 0; step < 20000; ++step) {
    switch (random.below(4)) {
      case 0:
      case 1:
        if (put_frame(next)) ++next;
        break;
      case 2:
        show_places();
        break;
      default:
        for (const std::uint8_t mark : take(1 + random.below(chunks))) ASSERT_EQ(mark, expected++) << "step " << step;
    }
    ASSERT_FALSE(HasFailure()) << "step " << step;
  }
  show_places();
  while (expected != next) {
    for (const std::uint8_t mark : take()) ASSERT_EQ(mark, expected++);
  }
  EXPECT_EQ(chunks_to_fill().size(), chunks);
}

}  // namespace
}  // namespace trivet::core
