-- name: claim_tail
-- Takes over part of what a slower worker holds of run $1, for worker ($2, $3) of numerics id $4 and $7 samples/s (null: an average one), when
-- nothing else is left: the unstarted end of a lease, so that both finish together, at most $5 units until $6 seconds from
-- now; or else, as a duplicate, what its holders would finish later than this worker does. Chunks have $8 samples. $9 is
-- the time to reckon with, in seconds since 1970; null is now. TailRules (Lifecycle) says the same in Swift.
SELECT lease_id, item_id, lo, hi, duplicate, image_index, sigma, false AS alone
  FROM rrcm.claim_tail($1, $2, $3, $4, $5, $6, $7, $8, $9)
