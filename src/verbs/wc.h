// An engine completion as an ibv_wc. The enumerations have the same values (abi_values.cc), so this is a copy.
#pragma once

#include <endian.h>
#include <infiniband/verbs.h>

#include <cstdint>

#include "rxe/types.h"

namespace rocelab::verbs {

/// imm_data is big-endian on the ABI, an invalidated rkey is not.
inline std::uint32_t immediate_or_rkey(const rxe::Completion& completion) {
  return completion.flags & rxe::wc_flag::kWithInv ? completion.immediate : htobe32(completion.immediate);
}

inline void to_wc(const rxe::Completion& from, ibv_wc& to) {
  to.wr_id = from.wr_id;
  to.status = static_cast<ibv_wc_status>(from.status);
  to.opcode = static_cast<ibv_wc_opcode>(from.opcode);
  to.vendor_err = from.vendor_err;
  to.byte_len = from.byte_len;
  to.imm_data = immediate_or_rkey(from);
  to.qp_num = from.qp_num;
  to.src_qp = from.src_qp;
  to.wc_flags = from.flags;
  to.pkey_index = 0;
  to.slid = 0;
  to.sl = from.service_level;
  to.dlid_path_bits = 0;
}

}  // namespace rocelab::verbs
