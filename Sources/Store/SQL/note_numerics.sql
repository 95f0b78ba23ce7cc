-- name: note_numerics
-- Notes what a worker computes though it cannot take the run it looked at: so it is seen which id could.
UPDATE rrcm.worker
   SET numerics_ids = array_append(numerics_ids, $3::text)
 WHERE worker_id = $1
   AND epoch = $2
   AND NOT numerics_ids @> ARRAY[$3::text]
