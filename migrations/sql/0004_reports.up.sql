-- 0004 reports: certification logs that others published, and the views that reports read.
--
-- Imported rows are kept apart from certificates: they carry no votes, so nobody can recompute them, and what they
-- rest on is known only as far as someone stated it. Views that show both say in `origin` which is which.

CREATE TABLE rrcm.imported_run (
  import_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name        text NOT NULL,
  source      text NOT NULL,
  imported_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT imported_run_name_unique UNIQUE (name)
);
COMMENT ON TABLE rrcm.imported_run IS
  'Certification results computed elsewhere, by name; this fleet neither computed nor can recompute them';
COMMENT ON COLUMN rrcm.imported_run.import_id IS 'Number of the imported run';
COMMENT ON COLUMN rrcm.imported_run.name IS 'What reports call it';
COMMENT ON COLUMN rrcm.imported_run.source IS 'Where it comes from, in words: repository, paper, machine';
COMMENT ON COLUMN rrcm.imported_run.imported_at IS 'When its first log was imported';

CREATE TABLE rrcm.imported_log (
  import_id      bigint NOT NULL REFERENCES rrcm.imported_run ON DELETE CASCADE,
  sigma          numeric NOT NULL,
  n              int NOT NULL,
  alpha          double precision NOT NULL,
  row_count      int NOT NULL,
  has_indices    boolean NOT NULL,
  has_full_radii boolean NOT NULL,
  files          text[] NOT NULL,
  file_digests   text[] NOT NULL,
  notes          text[] NOT NULL DEFAULT '{}',
  imported_at    timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT imported_log_pkey PRIMARY KEY (import_id, sigma),
  CONSTRAINT imported_log_sigma_positive CHECK (sigma > 0),
  CONSTRAINT imported_log_draws_positive CHECK (n > 0),
  CONSTRAINT imported_log_alpha_is_probability CHECK (alpha > 0 AND alpha <= 0.5),
  CONSTRAINT imported_log_has_rows CHECK (row_count > 0),
  CONSTRAINT imported_log_digest_per_file CHECK (cardinality(files) > 0 AND cardinality(files) = cardinality(file_digests))
);
COMMENT ON TABLE rrcm.imported_log IS 'One noise level of an imported run: the log it was read from and what was stated about it';
COMMENT ON COLUMN rrcm.imported_log.import_id IS 'Imported run';
COMMENT ON COLUMN rrcm.imported_log.sigma IS 'Noise level in the [0, 1] pixel range, as stated at import';
COMMENT ON COLUMN rrcm.imported_log.n IS 'Estimation draws, as stated at import; logs do not hold them';
COMMENT ON COLUMN rrcm.imported_log.alpha IS 'Failure probability of one certificate, as stated at import';
COMMENT ON COLUMN rrcm.imported_log.row_count IS 'Rows of the log: the denominator of every share';
COMMENT ON COLUMN rrcm.imported_log.has_indices IS 'Whether the log names its images';
COMMENT ON COLUMN rrcm.imported_log.has_full_radii IS 'False when radii are as printed: rounded to nearest, some above the certified ones';
COMMENT ON COLUMN rrcm.imported_log.files IS 'Names of the files it was read from, in order';
COMMENT ON COLUMN rrcm.imported_log.file_digests IS 'SHA-256 of each of those files';
COMMENT ON COLUMN rrcm.imported_log.notes IS 'What the reader found: a cut last line, a correct column that is not label = predict, …';
COMMENT ON COLUMN rrcm.imported_log.imported_at IS 'When it was imported';

CREATE TABLE rrcm.imported_certificate (
  import_id      bigint NOT NULL,
  sigma          numeric NOT NULL,
  row_number     int NOT NULL,
  image_index    int,
  label          int NOT NULL,
  predicted      int,
  radius         double precision,
  n_a            int,
  stated_correct boolean,
  seconds        double precision,
  correct        boolean GENERATED ALWAYS AS (predicted IS NOT DISTINCT FROM label) STORED,
  CONSTRAINT imported_certificate_pkey PRIMARY KEY (import_id, sigma, row_number),
  CONSTRAINT imported_certificate_of_log FOREIGN KEY (import_id, sigma) REFERENCES rrcm.imported_log ON DELETE CASCADE,
  CONSTRAINT imported_certificate_image_once UNIQUE (import_id, sigma, image_index),
  CONSTRAINT imported_certificate_abstains_without_radius CHECK ((predicted IS NULL) = (radius IS NULL)),
  CONSTRAINT imported_certificate_radius_not_negative CHECK (radius IS NULL OR radius >= 0),
  CONSTRAINT imported_certificate_label_not_negative CHECK (label >= 0 AND (predicted IS NULL OR predicted >= 0))
);
CREATE TRIGGER imported_certificate_append_only BEFORE UPDATE ON rrcm.imported_certificate
  FOR EACH ROW EXECUTE FUNCTION rrcm.refuse_update();
COMMENT ON TABLE rrcm.imported_certificate IS
  'One row of an imported log. No votes belong to it: it cannot be recomputed and is never counted with this fleet''s certificates';
COMMENT ON COLUMN rrcm.imported_certificate.import_id IS 'Imported run';
COMMENT ON COLUMN rrcm.imported_certificate.sigma IS 'Noise level';
COMMENT ON COLUMN rrcm.imported_certificate.row_number IS 'Place in the log, from 0';
COMMENT ON COLUMN rrcm.imported_certificate.image_index IS 'Image index as the log has it; null in logs without';
COMMENT ON COLUMN rrcm.imported_certificate.label IS 'True class, as the log has it';
COMMENT ON COLUMN rrcm.imported_certificate.predicted IS 'Certified class; null when abstained';
COMMENT ON COLUMN rrcm.imported_certificate.radius IS 'Radius, as printed unless the log held the full one; null when abstained';
COMMENT ON COLUMN rrcm.imported_certificate.n_a IS 'Votes for the top class where the log held them; never checked';
COMMENT ON COLUMN rrcm.imported_certificate.stated_correct IS 'The log''s own correct column; for comparison only';
COMMENT ON COLUMN rrcm.imported_certificate.seconds IS 'The log''s time for the image';
COMMENT ON COLUMN rrcm.imported_certificate.correct IS 'Recomputed: predicted equals label';

-- What reports read, own runs and imported ones side by side -------------------------------------------------------

CREATE VIEW rrcm.report_result AS
SELECT 'fleet'::text AS origin,
       i.run_id AS origin_id,
       r.name,
       i.sigma,
       i.image_index,
       i.label,
       i.state::text AS state,
       c.predicted,
       c.radius,
       c.abstained,
       c.correct,
       c.n_a,
       c.n,
       c.alpha,
       c.p_lower,
       c.compute_seconds AS seconds
  FROM rrcm.item i
  JOIN rrcm.run r USING (run_id)
  LEFT JOIN rrcm.certificate c ON c.item_id = i.item_id AND i.state = 'certified'
UNION ALL
SELECT 'imported',
       x.import_id,
       r.name,
       x.sigma,
       coalesce(x.image_index, x.row_number),
       x.label,
       'imported',
       x.predicted,
       x.radius,
       x.predicted IS NULL,
       x.correct,
       x.n_a,
       l.n,
       l.alpha,
       NULL,
       x.seconds
  FROM rrcm.imported_certificate x
  JOIN rrcm.imported_log l USING (import_id, sigma)
  JOIN rrcm.imported_run r USING (import_id);
COMMENT ON VIEW rrcm.report_result IS
  'One row per image and sigma, of own runs (origin fleet) and imported logs (origin imported), which carry no votes';
COMMENT ON COLUMN rrcm.report_result.origin IS 'fleet: computed here, recomputable; imported: read from a log';
COMMENT ON COLUMN rrcm.report_result.origin_id IS 'run_id of an own run, import_id of an imported one; unique with origin only';
COMMENT ON COLUMN rrcm.report_result.name IS 'Name of the run';
COMMENT ON COLUMN rrcm.report_result.sigma IS 'Noise level in the [0, 1] pixel range';
COMMENT ON COLUMN rrcm.report_result.image_index IS 'Image; the row''s place in an imported log without indices';
COMMENT ON COLUMN rrcm.report_result.label IS 'True class';
COMMENT ON COLUMN rrcm.report_result.state IS 'State of the item; imported';
COMMENT ON COLUMN rrcm.report_result.predicted IS 'Certified class; null when abstained or unfinished';
COMMENT ON COLUMN rrcm.report_result.radius IS 'Certified L2 radius; null when abstained or unfinished; of imported logs often as printed';
COMMENT ON COLUMN rrcm.report_result.abstained IS 'True when nothing was certified; null while unfinished';
COMMENT ON COLUMN rrcm.report_result.correct IS 'Certified class equals the label; null while unfinished';
COMMENT ON COLUMN rrcm.report_result.n_a IS 'Estimation votes for the top class';
COMMENT ON COLUMN rrcm.report_result.n IS 'Estimation draws; of imported logs as stated';
COMMENT ON COLUMN rrcm.report_result.alpha IS 'Failure probability of this one certificate; of imported logs as stated';
COMMENT ON COLUMN rrcm.report_result.p_lower IS 'Lower bound of the top class''s probability; null when imported';
COMMENT ON COLUMN rrcm.report_result.seconds IS 'Compute time of the image; of imported logs as they say';

CREATE VIEW rrcm.report_level AS
SELECT 'fleet'::text AS origin,
       r.run_id AS origin_id,
       r.name,
       s.sigma,
       c.sampler,
       c.n0,
       c.n,
       c.alpha,
       cardinality(r.image_indices) AS images,
       t.finished,
       t.held,
       t.abstained,
       t.correct,
       t.finished - t.abstained - t.correct AS wrong,
       t.radius_sum / cardinality(r.image_indices) AS acr_low,
       CASE WHEN t.finished = cardinality(r.image_indices) THEN t.radius_sum / cardinality(r.image_indices) END AS acr,
       t.largest_radius,
       t.seconds,
       t.seconds / nullif(t.finished, 0) AS seconds_per_image
  FROM rrcm.run r
  JOIN rrcm.certification c USING (run_id)
  JOIN rrcm.certification_sigma s USING (run_id)
 CROSS JOIN LATERAL (
   SELECT count(k.item_id) AS finished,
          count(*) FILTER (WHERE i.state = 'held') AS held,
          count(*) FILTER (WHERE k.abstained) AS abstained,
          count(*) FILTER (WHERE k.correct) AS correct,
          coalesce(sum(k.radius) FILTER (WHERE k.correct), 0) AS radius_sum,
          max(k.radius) AS largest_radius,
          sum(k.compute_seconds) AS seconds
     FROM rrcm.item i
     LEFT JOIN rrcm.certificate k ON k.item_id = i.item_id AND i.state = 'certified'
    WHERE i.run_id = r.run_id
      AND i.sigma = s.sigma
 ) AS t
UNION ALL
SELECT 'imported',
       l.import_id,
       r.name,
       l.sigma,
       NULL,
       NULL,
       l.n,
       l.alpha,
       l.row_count,
       t.finished,
       0,
       t.abstained,
       t.correct,
       t.finished - t.abstained - t.correct,
       t.radius_sum / l.row_count,
       t.radius_sum / l.row_count,
       t.largest_radius,
       t.seconds,
       t.seconds / nullif(t.timed, 0)
  FROM rrcm.imported_log l
  JOIN rrcm.imported_run r USING (import_id)
 CROSS JOIN LATERAL (
   SELECT count(*) AS finished,
          count(x.seconds) AS timed,
          count(*) FILTER (WHERE x.predicted IS NULL) AS abstained,
          count(*) FILTER (WHERE x.correct) AS correct,
          coalesce(sum(x.radius) FILTER (WHERE x.correct), 0) AS radius_sum,
          max(x.radius) AS largest_radius,
          sum(x.seconds) AS seconds
     FROM rrcm.imported_certificate x
    WHERE x.import_id = l.import_id
      AND x.sigma = l.sigma
 ) AS t;
COMMENT ON VIEW rrcm.report_level IS
  'One row per run and sigma, own and imported: images, finished, abstained, correct, wrong, average certified radius, time';
COMMENT ON COLUMN rrcm.report_level.origin IS 'fleet: computed here, recomputable; imported: read from a log';
COMMENT ON COLUMN rrcm.report_level.origin_id IS 'run_id of an own run, import_id of an imported one; unique with origin only';
COMMENT ON COLUMN rrcm.report_level.name IS 'Name of the run';
COMMENT ON COLUMN rrcm.report_level.sigma IS 'Noise level in the [0, 1] pixel range';
COMMENT ON COLUMN rrcm.report_level.sampler IS 'grid, or gaussian (sound in real arithmetic only); null when imported';
COMMENT ON COLUMN rrcm.report_level.n0 IS 'Selection draws; null when imported';
COMMENT ON COLUMN rrcm.report_level.n IS 'Estimation draws; of imported logs as stated';
COMMENT ON COLUMN rrcm.report_level.alpha IS 'Failure probability of one certificate; of imported logs as stated';
COMMENT ON COLUMN rrcm.report_level.images IS 'Images of the run, or rows of the log: the denominator of every share';
COMMENT ON COLUMN rrcm.report_level.finished IS 'Those with a certificate or an abstention';
COMMENT ON COLUMN rrcm.report_level.held IS 'Those held because votes disagree; unfinished';
COMMENT ON COLUMN rrcm.report_level.abstained IS 'Those where nothing was certified';
COMMENT ON COLUMN rrcm.report_level.correct IS 'Those certified for their label';
COMMENT ON COLUMN rrcm.report_level.wrong IS 'Those certified for another class';
COMMENT ON COLUMN rrcm.report_level.acr_low IS 'Average certified radius over all images; wrong, abstained and unfinished ones count 0';
COMMENT ON COLUMN rrcm.report_level.acr IS 'The same; null until every image is finished';
COMMENT ON COLUMN rrcm.report_level.largest_radius IS 'Largest radius certified, correct or not';
COMMENT ON COLUMN rrcm.report_level.seconds IS 'Compute time of the finished images together';
COMMENT ON COLUMN rrcm.report_level.seconds_per_image IS 'Compute time per finished image';

CREATE VIEW rrcm.report_accuracy AS
SELECT l.origin,
       l.origin_id,
       l.name,
       l.sigma,
       (step / 20.0)::numeric(8, 2) AS r,
       l.images,
       l.finished,
       hits.certified,
       hits.certified::double precision / l.images AS accuracy_low,
       (hits.certified + l.images - l.finished)::double precision / l.images AS accuracy_high
  FROM rrcm.report_level l
 CROSS JOIN LATERAL generate_series(0, ceil(20 * coalesce(l.largest_radius, 0))::int + 1) AS step
 CROSS JOIN LATERAL (
   SELECT count(*) AS certified
     FROM rrcm.report_result x
    WHERE x.origin = l.origin
      AND x.origin_id = l.origin_id
      AND x.sigma = l.sigma
      AND x.correct
      AND x.radius >= (step / 20.0)::double precision
 ) AS hits;
COMMENT ON VIEW rrcm.report_accuracy IS
  'Certified accuracy at r = 0, 0.05, 0.10, … per run and sigma, own and imported; an interval while images are unfinished';
COMMENT ON COLUMN rrcm.report_accuracy.origin IS 'fleet: computed here, recomputable; imported: read from a log';
COMMENT ON COLUMN rrcm.report_accuracy.origin_id IS 'run_id of an own run, import_id of an imported one; unique with origin only';
COMMENT ON COLUMN rrcm.report_accuracy.name IS 'Name of the run';
COMMENT ON COLUMN rrcm.report_accuracy.sigma IS 'Noise level';
COMMENT ON COLUMN rrcm.report_accuracy.r IS 'L2 radius';
COMMENT ON COLUMN rrcm.report_accuracy.images IS 'Images of the run, or rows of the log: the denominator';
COMMENT ON COLUMN rrcm.report_accuracy.finished IS 'Those with a certificate or an abstention';
COMMENT ON COLUMN rrcm.report_accuracy.certified IS 'Those correct and certified at r or more';
COMMENT ON COLUMN rrcm.report_accuracy.accuracy_low IS 'Share of all images, unfinished counted wrong';
COMMENT ON COLUMN rrcm.report_accuracy.accuracy_high IS 'Share of all images, unfinished counted right';

CREATE VIEW rrcm.report_histogram AS
SELECT x.origin,
       x.origin_id,
       x.name,
       x.sigma,
       (bin.step / 20.0)::numeric(8, 2) AS radius_from,
       ((bin.step + 1) / 20.0)::numeric(8, 2) AS radius_below,
       count(*) FILTER (WHERE x.correct) AS correct,
       count(*) FILTER (WHERE NOT x.correct) AS wrong
  FROM rrcm.report_result x
 CROSS JOIN LATERAL (
   -- A product may round up to the next step; the comparison puts the radius back where it belongs.
   SELECT floor(20 * x.radius)::int - (x.radius < (floor(20 * x.radius)::numeric / 20)::double precision)::int AS step
 ) AS bin
 WHERE x.radius IS NOT NULL
 GROUP BY x.origin, x.origin_id, x.name, x.sigma, bin.step;
COMMENT ON VIEW rrcm.report_histogram IS
  'How many images were certified with a radius in [radius_from, radius_below), in steps of 0.05; empty steps have no row';
COMMENT ON COLUMN rrcm.report_histogram.origin IS 'fleet: computed here, recomputable; imported: read from a log';
COMMENT ON COLUMN rrcm.report_histogram.origin_id IS 'run_id of an own run, import_id of an imported one; unique with origin only';
COMMENT ON COLUMN rrcm.report_histogram.name IS 'Name of the run';
COMMENT ON COLUMN rrcm.report_histogram.sigma IS 'Noise level';
COMMENT ON COLUMN rrcm.report_histogram.radius_from IS 'Least radius of the step';
COMMENT ON COLUMN rrcm.report_histogram.radius_below IS 'Least radius of the next step';
COMMENT ON COLUMN rrcm.report_histogram.correct IS 'Images certified for their label';
COMMENT ON COLUMN rrcm.report_histogram.wrong IS 'Images certified for another class';

-- Own runs alone ---------------------------------------------------------------------------------------------------

CREATE VIEW rrcm.certificate_pair AS
SELECT a.run_id AS a_run_id,
       b.run_id AS b_run_id,
       ra.name AS a_name,
       rb.name AS b_name,
       a.sigma,
       a.image_index,
       a.label,
       ca.predicted AS a_predicted,
       cb.predicted AS b_predicted,
       ca.correct AS a_correct,
       cb.correct AS b_correct,
       ca.radius AS a_radius,
       cb.radius AS b_radius,
       coalesce(cb.radius, 0) - coalesce(ca.radius, 0) AS radius_gain
  FROM rrcm.item a
  JOIN rrcm.run ra ON ra.run_id = a.run_id
  JOIN rrcm.certificate ca ON ca.item_id = a.item_id
  JOIN rrcm.item b ON b.image_index = a.image_index AND b.sigma = a.sigma AND b.run_id <> a.run_id
  JOIN rrcm.run rb ON rb.run_id = b.run_id AND rb.dataset_digest = ra.dataset_digest
  JOIN rrcm.certificate cb ON cb.item_id = b.item_id
 WHERE a.state = 'certified'
   AND b.state = 'certified';
COMMENT ON VIEW rrcm.certificate_pair IS
  'Two runs of this fleet on the same image at the same sigma, both finished there; name both runs in WHERE';
COMMENT ON COLUMN rrcm.certificate_pair.a_run_id IS 'One run';
COMMENT ON COLUMN rrcm.certificate_pair.b_run_id IS 'The other run, on the same image set';
COMMENT ON COLUMN rrcm.certificate_pair.a_name IS 'Name of run a';
COMMENT ON COLUMN rrcm.certificate_pair.b_name IS 'Name of run b';
COMMENT ON COLUMN rrcm.certificate_pair.sigma IS 'Noise level of both';
COMMENT ON COLUMN rrcm.certificate_pair.image_index IS 'Image';
COMMENT ON COLUMN rrcm.certificate_pair.label IS 'True class';
COMMENT ON COLUMN rrcm.certificate_pair.a_predicted IS 'Class certified by a; null when abstained';
COMMENT ON COLUMN rrcm.certificate_pair.b_predicted IS 'Class certified by b; null when abstained';
COMMENT ON COLUMN rrcm.certificate_pair.a_correct IS 'Whether a certified the label';
COMMENT ON COLUMN rrcm.certificate_pair.b_correct IS 'Whether b certified the label';
COMMENT ON COLUMN rrcm.certificate_pair.a_radius IS 'Radius certified by a; null when abstained';
COMMENT ON COLUMN rrcm.certificate_pair.b_radius IS 'Radius certified by b; null when abstained';
COMMENT ON COLUMN rrcm.certificate_pair.radius_gain IS 'Radius of b less that of a, abstentions counting 0';

CREATE VIEW rrcm.image_cost AS
SELECT i.run_id,
       r.name AS run_name,
       i.item_id,
       i.sigma,
       i.image_index,
       i.state,
       count(*) AS chunks,
       sum(k.samples)::bigint AS samples,
       sum(k.compute_ms)::double precision / 1000 AS compute_seconds,
       1000 * sum(k.samples) / nullif(sum(k.compute_ms), 0)::double precision AS samples_per_second,
       count(DISTINCT k.worker_id) AS workers,
       extract(epoch FROM max(k.posted_at) - min(k.posted_at))::double precision AS elapsed_seconds
  FROM rrcm.item i
  JOIN rrcm.run r USING (run_id)
  JOIN rrcm.chunk_count k USING (item_id)
 GROUP BY i.item_id, r.run_id;
COMMENT ON VIEW rrcm.image_cost IS 'What one item has cost so far: samples drawn and compute time, by all workers together';
COMMENT ON COLUMN rrcm.image_cost.run_id IS 'Run';
COMMENT ON COLUMN rrcm.image_cost.run_name IS 'Name of the run';
COMMENT ON COLUMN rrcm.image_cost.item_id IS 'Item';
COMMENT ON COLUMN rrcm.image_cost.sigma IS 'Noise level';
COMMENT ON COLUMN rrcm.image_cost.image_index IS 'Image';
COMMENT ON COLUMN rrcm.image_cost.state IS 'State of the item';
COMMENT ON COLUMN rrcm.image_cost.chunks IS 'Chunks with stored votes';
COMMENT ON COLUMN rrcm.image_cost.samples IS 'Noise samples in them, selection included';
COMMENT ON COLUMN rrcm.image_cost.compute_seconds IS 'Time the workers computed on them';
COMMENT ON COLUMN rrcm.image_cost.samples_per_second IS 'Samples per second of that time, of one worker';
COMMENT ON COLUMN rrcm.image_cost.workers IS 'Workers that computed any of them';
COMMENT ON COLUMN rrcm.image_cost.elapsed_seconds IS 'From the first stored chunk to the last';

CREATE VIEW rrcm.similar_run AS
SELECT this.run_id,
       other.run_id AS other_run_id,
       other.name AS other_name,
       a.sigma
  FROM rrcm.run this
  JOIN rrcm.run other
    ON other.checkpoint_digest = this.checkpoint_digest
   AND other.dataset_digest = this.dataset_digest
   AND other.image_indices = this.image_indices
   AND other.run_id <> this.run_id
  JOIN rrcm.certification_sigma a ON a.run_id = this.run_id
  JOIN rrcm.certification_sigma b ON b.run_id = other.run_id AND b.sigma = a.sigma;
COMMENT ON VIEW rrcm.similar_run IS
  'Other certification runs of the same checkpoint on the same images at the same sigma: choosing among them afterwards voids alpha';
COMMENT ON COLUMN rrcm.similar_run.run_id IS 'Run';
COMMENT ON COLUMN rrcm.similar_run.other_run_id IS 'Run that is like it';
COMMENT ON COLUMN rrcm.similar_run.other_name IS 'Its name';
COMMENT ON COLUMN rrcm.similar_run.sigma IS 'Noise level both certify at';
