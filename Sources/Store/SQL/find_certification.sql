-- name: find_certification
SELECT mode,
       n0,
       n,
       alpha,
       sampler,
       chunk_samples,
       audit_share,
       targets::text[] AS targets,
       epsilon,
       looks
  FROM rrcm.certification_protocol
 WHERE run_id = $1
