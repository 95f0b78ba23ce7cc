-- name: find_certification
SELECT mode,
       n0,
       n,
       alpha,
       sampler,
       chunk_samples
  FROM rrcm.certification
 WHERE run_id = $1
