-- Undoes 0010. What was audited, voided and superseded is forgotten, and quarantines end: export it first. Votes and certificates that
-- count stay. A view cannot lose a column while others read it: certificate_result keeps provisional, always null.

CREATE OR REPLACE VIEW rrcm.certificate_result AS
SELECT i.run_id,
       r.name AS run_name,
       i.item_id,
       i.image_index,
       d.source,
       d.split,
       i.sigma,
       i.label,
       i.state,
       c.mode,
       c.top_class,
       c.predicted,
       c.radius,
       c.abstained,
       c.correct,
       c.n_a,
       c.n0,
       c.n,
       c.alpha,
       c.slack,
       c.p_lower,
       c.numerics_id,
       c.compute_seconds,
       c.certified_at,
       NULL::boolean AS provisional
  FROM rrcm.item i
  JOIN rrcm.run r USING (run_id)
  LEFT JOIN rrcm.dataset_image d ON d.dataset_digest = r.dataset_digest AND d.image_index = i.image_index
  LEFT JOIN rrcm.certificate c ON c.item_id = i.item_id AND i.state = 'certified';
DROP VIEW rrcm.run_audit;
ALTER TABLE rrcm.disagreement DROP COLUMN audit_id;
DROP TABLE rrcm.canary_check, rrcm.audit_computation, rrcm.audit, rrcm.audit_salt;
DROP TYPE rrcm.audit_state;
DROP FUNCTION rrcm.audit_draw;
CREATE OR REPLACE VIEW rrcm.certification_protocol AS
SELECT run_id,
       mode,
       n0,
       n,
       alpha,
       sampler,
       chunk_samples,
       0::double precision AS audit_share
  FROM rrcm.certification;
ALTER TABLE rrcm.certification DROP COLUMN audit_share;
ALTER TABLE rrcm.item DROP COLUMN revision;
DROP TABLE rrcm.certificate_superseded, rrcm.chunk_count_void;
ALTER TABLE rrcm.worker
  DROP COLUMN process_since,
  DROP COLUMN quarantined_at,
  DROP COLUMN quarantine_reason;
