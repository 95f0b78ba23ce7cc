-- Undoes 0011. Refused while runs of another mode than fixed are there: delete them first.
DROP VIEW rrcm.samples_used, rrcm.certificate_detail, rrcm.certification_protocol;
CREATE VIEW rrcm.certification_protocol AS
SELECT run_id,
       mode,
       n0,
       n,
       alpha,
       sampler,
       chunk_samples,
       audit_share
  FROM rrcm.certification;
COMMENT ON VIEW rrcm.certification_protocol IS 'The protocol of each certification, fixed when it is submitted';
DO $$
DECLARE
  line record;
BEGIN
  FOR line IN
    SELECT a.attname AS name, col_description(t.attrelid, t.attnum) AS text
      FROM pg_attribute a
      JOIN pg_attribute t ON t.attrelid = 'rrcm.certification'::regclass AND t.attname = a.attname
     WHERE a.attrelid = 'rrcm.certification_protocol'::regclass
       AND a.attnum > 0
  LOOP
    EXECUTE format('COMMENT ON COLUMN rrcm.certification_protocol.%I IS %L', line.name, line.text);
  END LOOP;
END
$$;
ALTER TABLE rrcm.certificate
  DROP COLUMN stopped_at_unit,
  DROP COLUMN targets_reached,
  DROP COLUMN runner_up_votes,
  DROP COLUMN p_upper,
  DROP COLUMN p_value;
COMMENT ON COLUMN rrcm.certificate.n IS 'Estimation draws';
ALTER TABLE rrcm.item
  DROP CONSTRAINT item_open_while_units_are_left,
  ADD CONSTRAINT item_open_while_units_are_left CHECK (state <> 'open' OR next_unit < unit_count),
  DROP COLUMN target_units,
  DROP COLUMN looks_decided;
ALTER TABLE rrcm.certification
  DROP CONSTRAINT certification_mode_known,
  ADD CONSTRAINT certification_mode_known CHECK (mode IN ('fixed')),
  DROP COLUMN targets,
  DROP COLUMN epsilon,
  DROP COLUMN looks;
