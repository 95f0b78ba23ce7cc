-- name: claim_audit
-- Gives worker ($2, $3) of numerics id $4 one open audit of run $1 until $5 seconds from now: one that it has not computed, of
-- votes that somebody else posted, disputes first. Its own votes it gets only when it is alone: no other worker of the id was heard of for
-- $6 seconds (nor, for so long after the audit was drawn, one that has not shown its id yet), or nobody took the audit for $7 seconds.
SELECT audit_id, item_id, phase, chunk, image_index, sigma
  FROM rrcm.claim_audit($1, $2, $3, $4, $5, $6, $7)
