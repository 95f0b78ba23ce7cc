-- name: find_run
-- By number, or the newest of a name.
SELECT run_id,
       name,
       kind::text AS kind,
       state::text AS state,
       spec::text AS spec,
       seed,
       dataset_digest,
       checkpoint_digest,
       image_indices,
       numerics_ids,
       error
  FROM rrcm.run_detail
 WHERE run_id::text = $1
    OR name = $1
 ORDER BY (run_id::text = $1) DESC, run_id DESC
 LIMIT 1
