-- name: find_certification
SELECT mode,
       n0,
       n,
       alpha,
       sampler,
       chunk_samples,
       audit_share
  FROM rrcm.certification_protocol
 WHERE run_id = $1
