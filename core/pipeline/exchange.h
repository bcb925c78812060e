// Packets that one worker has received and another owns: lent over a ring, and their buffers sent home.
//
// For each ordered pair of workers two rings of the same size: packets on their way to their owner, empty buffers on
// their way back to the pool they came from. A worker lends at most loan_limit() buffers to each other one, all that
// are under way or in use there included, so a ring for returns never overflows, and all loans together leave it half
// of its pool, whatever becomes of the others. An owner has what it borrowed back on its way by the end of its run;
// what has to wait longer (for a neighbour) it copies. Nothing is locked, nothing allocated after construction.
//
// Each worker has a desk, at which everything happens. Wakes: an owner that may be asleep is woken, once for each
// batch that it is lent. The owner says so before it looks for the last time, and both sides change the flag by
// read-modify-write, so one of them comes second and notices.
//
// Life: made when all workers are, before any of them runs; outlives their runs. At the end rings may hold packets:
// they belong to their pools.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/pipeline/channel.h"
#include "core/pipeline/packet_pool.h"
#include "core/pipeline/spsc_ring.h"
#include "trivet/packet.h"

namespace trivet::core {

inline constexpr std::size_t max_workers = 64;

class Exchange {
 public:
  // A packet that the door has let in, and under which of SharedState's facts.
  struct Loan {
    Packet* packet = nullptr;
    std::uint64_t version = 0;
  };
  struct Member {
    PacketPool* pool = nullptr;
    Channel* channel = nullptr;  // by which it is woken
  };

  // Thread: the worker whose desk it is.
  class Desk final : public PacketReturn {
   public:
    Desk(Exchange& exchange, std::size_t number);
    Desk(const Desk&) = delete;
    Desk& operator=(const Desk&) = delete;
    ~Desk() = default;

    [[nodiscard]] std::size_t workers() const noexcept { return exchange_.members_.size(); }
    [[nodiscard]] std::size_t number() const noexcept { return number_; }

    // Lends a packet of the own pool to its owner, who sees it at hand_out(). False: the owner has as many as it may.
    [[nodiscard]] bool lend(std::size_t owner, Packet* packet, std::uint64_t version) noexcept;
    void hand_out() noexcept;
    // Packets that `lender` has handed out to this worker; oldest first.
    [[nodiscard]] std::size_t borrow(std::size_t lender, std::span<Loan> out) noexcept;
    // A borrowed packet that is used no more; under way at send_home().
    void give_back(Packet* packet) noexcept override;
    void send_home() noexcept;
    // Takes own buffers that have come back into the pool.
    void take_home() noexcept;

    // At the end of a run. True: run again. False: a whole run after announcing it found nothing, the worker may sleep
    // until it is woken.
    [[nodiscard]] bool stays_awake(bool did_something) noexcept;

   private:
    friend class Exchange;
    struct Account {
      std::size_t lent = 0;
      std::size_t large = 0;  // of these, in large buffers
    };
    [[nodiscard]] bool has_credit(const Account& account, bool large) const noexcept;
    void take_home(std::size_t borrower) noexcept;
    void wake() noexcept;

    Exchange& exchange_;
    std::size_t number_;
    PacketPool& pool_;
    std::vector<Account> accounts_;   // by borrower
    std::uint64_t handing_out_ = 0;   // owners that something is staged for, as bits
    std::uint64_t sending_home_ = 0;  // lenders, likewise
    alignas(64) std::atomic<bool> is_asleep_{false};
  };

  explicit Exchange(std::vector<Member> members);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange();

  [[nodiscard]] Desk& desk(std::size_t worker) { return *desks_.at(worker); }
  [[nodiscard]] std::size_t loan_limit() const noexcept { return loan_limit_; }

 private:
  struct Line {
    explicit Line(std::size_t slots) : out(slots), back(slots) {}
    SpscRing<Loan> out;
    SpscRing<Packet*> back;
  };
  [[nodiscard]] Line& line(std::size_t lender, std::size_t owner) noexcept {
    return *lines_[lender * members_.size() + owner];
  }

  std::vector<Member> members_;
  std::size_t loan_limit_;
  std::size_t large_limit_;
  std::vector<std::unique_ptr<Line>> lines_;  // by lender, then owner; null on the diagonal
  std::vector<std::unique_ptr<Desk>> desks_;
};

}  // namespace trivet::core
