-- 0005 sweeps: search spaces, their trials, and the runs of each trial. A trial's work is ordinary runs.

CREATE TYPE rrcm.sweep_state AS ENUM ('running', 'done', 'stopped');
CREATE TYPE rrcm.trial_state AS ENUM ('open', 'done', 'failed', 'stopped');
CREATE TYPE rrcm.trial_step AS ENUM ('finetune', 'certify', 'confirm');
COMMENT ON TYPE rrcm.sweep_state IS
  'running: some trial has not ended; done: all have, well or badly; stopped: by a person, and so its open trials';
COMMENT ON TYPE rrcm.trial_state IS
  'open: runs of it are to come or under way; done: all are done; failed: one failed; stopped: the sweep was, or one was cancelled';
COMMENT ON TYPE rrcm.trial_step IS
  'The runs of a trial, in order: finetune trains its classifier, certify scores it, confirm scores the best trial on other images';

CREATE TABLE rrcm.sweep (
  sweep_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name        text NOT NULL,
  state       rrcm.sweep_state NOT NULL DEFAULT 'running',
  spec        jsonb NOT NULL,
  method      text NOT NULL,
  metric      text NOT NULL,
  r           double precision,
  sigma       numeric,
  goal        text NOT NULL,
  software    text NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  CONSTRAINT sweep_name_unique UNIQUE (name),
  CONSTRAINT sweep_finished_or_finished_at_null CHECK ((state = 'running') = (finished_at IS NULL)),
  CONSTRAINT sweep_metric_known CHECK (metric IN ('acr', 'loss') OR metric LIKE 'certified_accuracy@%'),
  CONSTRAINT sweep_radius_of_accuracy CHECK ((metric LIKE 'certified_accuracy@%') = (r IS NOT NULL)),
  CONSTRAINT sweep_radius_not_negative CHECK (r >= 0),
  CONSTRAINT sweep_sigma_positive CHECK (sigma > 0),
  CONSTRAINT sweep_goal_known CHECK (goal IN ('maximize', 'minimize'))
);
COMMENT ON TABLE rrcm.sweep IS 'A set of trials from a search space, ranked by one metric';
COMMENT ON COLUMN rrcm.sweep.sweep_id IS 'Number of the sweep';
COMMENT ON COLUMN rrcm.sweep.name IS 'Name given by its sweep file; the runs of its trials begin with it';
COMMENT ON COLUMN rrcm.sweep.state IS 'running until every trial has ended';
COMMENT ON COLUMN rrcm.sweep.spec IS 'The complete sweep file, with the settings of its runs; creating it again under another name repeats it';
COMMENT ON COLUMN rrcm.sweep.method IS 'How trials are found: grid or random';
COMMENT ON COLUMN rrcm.sweep.metric IS 'What ranks the trials: certified_accuracy@R, acr or loss';
COMMENT ON COLUMN rrcm.sweep.r IS 'L2 radius of a certified accuracy';
COMMENT ON COLUMN rrcm.sweep.sigma IS 'Noise level at which the metric is measured; null: the only one that a trial certifies at';
COMMENT ON COLUMN rrcm.sweep.goal IS 'Whether more or less of the metric is better';
COMMENT ON COLUMN rrcm.sweep.software IS 'Version of the software that created it';
COMMENT ON COLUMN rrcm.sweep.created_at IS 'When it was created';
COMMENT ON COLUMN rrcm.sweep.finished_at IS 'When its last trial ended, or it was stopped';

CREATE TABLE rrcm.trial (
  trial_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sweep_id      bigint NOT NULL REFERENCES rrcm.sweep ON DELETE CASCADE,
  number        int NOT NULL,
  parameters    jsonb NOT NULL,
  finetune_spec jsonb,
  certify_spec  jsonb,
  confirm_spec  jsonb,
  state         rrcm.trial_state NOT NULL DEFAULT 'open',
  attempt       int NOT NULL DEFAULT 1,
  chosen        boolean NOT NULL DEFAULT false,
  error         text,
  created_at    timestamptz NOT NULL DEFAULT now(),
  finished_at   timestamptz,
  CONSTRAINT trial_number_once UNIQUE (sweep_id, number),
  CONSTRAINT trial_point_once UNIQUE (sweep_id, parameters),
  CONSTRAINT trial_number_positive CHECK (number > 0),
  CONSTRAINT trial_attempt_positive CHECK (attempt > 0),
  CONSTRAINT trial_does_something CHECK (finetune_spec IS NOT NULL OR certify_spec IS NOT NULL),
  CONSTRAINT trial_chosen_to_confirm CHECK (NOT chosen OR confirm_spec IS NOT NULL),
  CONSTRAINT trial_finished_or_finished_at_null CHECK ((state = 'open') = (finished_at IS NULL)),
  CONSTRAINT trial_error_when_failed CHECK (state <> 'failed' OR error IS NOT NULL)
);
CREATE INDEX trial_open ON rrcm.trial (sweep_id, number) WHERE state = 'open';
COMMENT ON TABLE rrcm.trial IS 'One point of a sweep''s search space; its work is the runs that trial_run names';
COMMENT ON COLUMN rrcm.trial.trial_id IS 'Number over all sweeps';
COMMENT ON COLUMN rrcm.trial.sweep_id IS 'Sweep';
COMMENT ON COLUMN rrcm.trial.number IS 'Number within the sweep';
COMMENT ON COLUMN rrcm.trial.parameters IS 'Value of every free parameter, by its path in the sweep file';
COMMENT ON COLUMN rrcm.trial.finetune_spec IS 'Resolved run file of the fine-tuning; null when the trial has none';
COMMENT ON COLUMN rrcm.trial.certify_spec IS 'Resolved run file of the certification; its checkpoint is the fine-tuning''s, where there is one';
COMMENT ON COLUMN rrcm.trial.confirm_spec IS 'Resolved run file of the certification on images that do not rank, in case this trial is the best';
COMMENT ON COLUMN rrcm.trial.state IS 'open while runs of it are to come or under way';
COMMENT ON COLUMN rrcm.trial.attempt IS 'Rises with each retry; earlier runs stay';
COMMENT ON COLUMN rrcm.trial.chosen IS 'Was the best when all had ended, and is certified once more on other images';
COMMENT ON COLUMN rrcm.trial.error IS 'Why it failed or was stopped';
COMMENT ON COLUMN rrcm.trial.created_at IS 'When it was created';
COMMENT ON COLUMN rrcm.trial.finished_at IS 'When it ended';

CREATE TABLE rrcm.trial_run (
  trial_id bigint NOT NULL REFERENCES rrcm.trial ON DELETE CASCADE,
  step     rrcm.trial_step NOT NULL,
  attempt  int NOT NULL,
  run_id   bigint NOT NULL REFERENCES rrcm.run ON DELETE CASCADE,
  CONSTRAINT trial_run_pkey PRIMARY KEY (trial_id, step, attempt),
  CONSTRAINT trial_run_belongs_to_one UNIQUE (run_id)
);
COMMENT ON TABLE rrcm.trial_run IS 'The runs of a trial; the key lets a step of an attempt have one run, whoever makes it';
COMMENT ON COLUMN rrcm.trial_run.trial_id IS 'Trial';
COMMENT ON COLUMN rrcm.trial_run.step IS 'What the run is to the trial';
COMMENT ON COLUMN rrcm.trial_run.attempt IS 'Attempt of the trial that it belongs to';
COMMENT ON COLUMN rrcm.trial_run.run_id IS 'Run';

-- Metrics of a finished run ------------------------------------------------------------------------------------------

CREATE FUNCTION rrcm.certified_accuracy(run bigint, noise_level numeric, r double precision)
RETURNS double precision
LANGUAGE sql STABLE
RETURN (
  SELECT count(*) FILTER (WHERE c.correct AND c.radius >= r)::double precision / count(*)
    FROM rrcm.certificate_result c
   WHERE c.run_id = run
     AND c.sigma = noise_level
  HAVING count(*) = count(c.n_a)
     AND count(*) > 0
);
COMMENT ON FUNCTION rrcm.certified_accuracy IS
  'Share of a run''s images at one sigma that are both correct and certified at r or more; null until every image has its certificate';

CREATE FUNCTION rrcm.average_certified_radius(run bigint, noise_level numeric)
RETURNS double precision
LANGUAGE sql STABLE
RETURN (
  SELECT coalesce(sum(c.radius) FILTER (WHERE c.correct), 0) / count(*)
    FROM rrcm.certificate_result c
   WHERE c.run_id = run
     AND c.sigma = noise_level
  HAVING count(*) = count(c.n_a)
     AND count(*) > 0
);
COMMENT ON FUNCTION rrcm.average_certified_radius IS
  'Average certified radius (ACR) of a run''s images at one sigma, wrong and abstained ones counting 0; null until every image has its certificate';

-- Views --------------------------------------------------------------------------------------------------------------

CREATE VIEW rrcm.sweep_run AS
SELECT s.sweep_id,
       s.name AS sweep_name,
       t.trial_id,
       t.number AS trial,
       tr.step,
       tr.attempt,
       tr.run_id,
       r.name AS run_name,
       r.state,
       r.error,
       coalesce(j.checkpoint_digest, r.checkpoint_digest) AS checkpoint_digest,
       r.created_at,
       r.started_at,
       r.finished_at
  FROM rrcm.trial_run tr
  JOIN rrcm.trial t USING (trial_id)
  JOIN rrcm.sweep s USING (sweep_id)
  JOIN rrcm.run r USING (run_id)
  LEFT JOIN rrcm.job j USING (run_id);
COMMENT ON VIEW rrcm.sweep_run IS 'One row per run of a trial, failed attempts included';
COMMENT ON COLUMN rrcm.sweep_run.sweep_id IS 'Sweep';
COMMENT ON COLUMN rrcm.sweep_run.sweep_name IS 'Name of the sweep';
COMMENT ON COLUMN rrcm.sweep_run.trial_id IS 'Trial, numbered over all sweeps';
COMMENT ON COLUMN rrcm.sweep_run.trial IS 'Number of the trial within the sweep';
COMMENT ON COLUMN rrcm.sweep_run.step IS 'What the run is to the trial';
COMMENT ON COLUMN rrcm.sweep_run.attempt IS 'Attempt of the trial that it belongs to';
COMMENT ON COLUMN rrcm.sweep_run.run_id IS 'Run';
COMMENT ON COLUMN rrcm.sweep_run.run_name IS 'Name of the run';
COMMENT ON COLUMN rrcm.sweep_run.state IS 'State of the run';
COMMENT ON COLUMN rrcm.sweep_run.error IS 'Why the run failed';
COMMENT ON COLUMN rrcm.sweep_run.checkpoint_digest IS 'Checkpoint that a fine-tuning made, or that a certification uses';
COMMENT ON COLUMN rrcm.sweep_run.created_at IS 'When the run was submitted';
COMMENT ON COLUMN rrcm.sweep_run.started_at IS 'When the run was planned';
COMMENT ON COLUMN rrcm.sweep_run.finished_at IS 'When the run ended';

CREATE VIEW rrcm.sweep_trial AS
WITH current AS (
  -- What stands for a step: the run that is done, else the newest attempt.
  SELECT DISTINCT ON (trial_id, step)
         trial_id,
         step,
         run_id,
         state,
         checkpoint_digest
    FROM rrcm.sweep_run
   ORDER BY trial_id, step, (state = 'done') DESC, attempt DESC
)
SELECT s.sweep_id,
       s.name AS sweep_name,
       t.trial_id,
       t.number AS trial,
       CASE
         WHEN ranked.value IS NOT NULL THEN rank() OVER (
           PARTITION BY s.sweep_id
           ORDER BY CASE s.goal WHEN 'minimize' THEN ranked.value ELSE -ranked.value END NULLS LAST,
                    result.acr DESC NULLS LAST
         )
       END AS rank,
       ranked.value,
       s.metric,
       t.parameters,
       t.state,
       CASE WHEN t.state = 'open' THEN coalesce(confirm.step, certify.step, finetune.step) END AS step,
       t.attempt,
       level.sigma,
       result.certified_accuracy,
       result.acr,
       result.loss,
       t.chosen,
       result.confirmed_accuracy,
       result.confirmed_acr,
       finetune.run_id AS finetune_run_id,
       certify.run_id AS certify_run_id,
       confirm.run_id AS confirm_run_id,
       coalesce(certify.checkpoint_digest, CASE WHEN finetune.state = 'done' THEN finetune.checkpoint_digest END)
         AS checkpoint_digest,
       t.error,
       t.created_at,
       t.finished_at
  FROM rrcm.trial t
  JOIN rrcm.sweep s USING (sweep_id)
  LEFT JOIN current finetune ON finetune.trial_id = t.trial_id AND finetune.step = 'finetune'
  LEFT JOIN current certify ON certify.trial_id = t.trial_id AND certify.step = 'certify'
  LEFT JOIN current confirm ON confirm.trial_id = t.trial_id AND confirm.step = 'confirm'
 CROSS JOIN LATERAL (
   SELECT coalesce(s.sigma, min(c.sigma)) AS sigma
     FROM rrcm.certification_sigma c
    WHERE c.run_id = certify.run_id
 ) AS level
 CROSS JOIN LATERAL (
   SELECT rrcm.certified_accuracy(certify.run_id, level.sigma, s.r) AS certified_accuracy,
          rrcm.average_certified_radius(certify.run_id, level.sigma) AS acr,
          rrcm.certified_accuracy(confirm.run_id, level.sigma, s.r) AS confirmed_accuracy,
          rrcm.average_certified_radius(confirm.run_id, level.sigma) AS confirmed_acr,
          (SELECT m.value
             FROM rrcm.metric m
            WHERE m.run_id = finetune.run_id
              AND m.name = 'loss'
              AND finetune.state = 'done'
            ORDER BY m.step DESC
            LIMIT 1) AS loss
 ) AS result
 CROSS JOIN LATERAL (
   SELECT CASE s.metric WHEN 'loss' THEN result.loss WHEN 'acr' THEN result.acr ELSE result.certified_accuracy END
            AS value
 ) AS ranked;
COMMENT ON VIEW rrcm.sweep_trial IS
  'One row per trial, ranked by its sweep''s metric; rrcm.sweep_query gives the parameters as columns. The best of many is chosen on the images of its certify run, where its accuracy is therefore flattered';
COMMENT ON COLUMN rrcm.sweep_trial.sweep_id IS 'Sweep';
COMMENT ON COLUMN rrcm.sweep_trial.sweep_name IS 'Name of the sweep';
COMMENT ON COLUMN rrcm.sweep_trial.trial_id IS 'Trial, numbered over all sweeps';
COMMENT ON COLUMN rrcm.sweep_trial.trial IS 'Number of the trial within the sweep';
COMMENT ON COLUMN rrcm.sweep_trial.rank IS '1 is best; equal values are told apart by acr, else share a rank; null until measured';
COMMENT ON COLUMN rrcm.sweep_trial.value IS 'The sweep''s metric; null until the run that measures it is done';
COMMENT ON COLUMN rrcm.sweep_trial.metric IS 'What value is';
COMMENT ON COLUMN rrcm.sweep_trial.parameters IS 'Value of every free parameter, by its path in the sweep file';
COMMENT ON COLUMN rrcm.sweep_trial.state IS 'State of the trial';
COMMENT ON COLUMN rrcm.sweep_trial.step IS 'Latest run of an open trial; null while it waits for its first, and when it has ended';
COMMENT ON COLUMN rrcm.sweep_trial.attempt IS 'Attempt; rises with each retry';
COMMENT ON COLUMN rrcm.sweep_trial.sigma IS 'Noise level of the certified columns';
COMMENT ON COLUMN rrcm.sweep_trial.certified_accuracy IS 'Certified accuracy at the sweep''s radius';
COMMENT ON COLUMN rrcm.sweep_trial.acr IS 'Average certified radius, wrong and abstained images counting 0';
COMMENT ON COLUMN rrcm.sweep_trial.loss IS 'Newest training loss of the fine-tuning';
COMMENT ON COLUMN rrcm.sweep_trial.chosen IS 'Was the best when all had ended';
COMMENT ON COLUMN rrcm.sweep_trial.confirmed_accuracy IS 'Certified accuracy on images that had no say in the ranking';
COMMENT ON COLUMN rrcm.sweep_trial.confirmed_acr IS 'Average certified radius on those images';
COMMENT ON COLUMN rrcm.sweep_trial.finetune_run_id IS 'Its fine-tuning: the one that is done, else the newest';
COMMENT ON COLUMN rrcm.sweep_trial.certify_run_id IS 'Its certification: the one that is done, else the newest';
COMMENT ON COLUMN rrcm.sweep_trial.confirm_run_id IS 'Its certification on other images';
COMMENT ON COLUMN rrcm.sweep_trial.checkpoint_digest IS 'Checkpoint that it made and certifies';
COMMENT ON COLUMN rrcm.sweep_trial.error IS 'Why it failed or was stopped';
COMMENT ON COLUMN rrcm.sweep_trial.created_at IS 'When it was created';
COMMENT ON COLUMN rrcm.sweep_trial.finished_at IS 'When it ended';

CREATE VIEW rrcm.trial_accuracy AS
SELECT t.sweep_id,
       t.sweep_name,
       t.trial,
       t.parameters,
       a.run_id,
       a.sigma,
       a.r,
       a.items,
       a.finished,
       a.certified,
       a.accuracy,
       a.accuracy_low,
       a.accuracy_high
  FROM rrcm.sweep_trial t
  JOIN rrcm.accuracy_at_radius a ON a.run_id = t.certify_run_id;
COMMENT ON VIEW rrcm.trial_accuracy IS
  'Certified accuracy of every trial at every sigma and r = 0, 0.05, 0.10, …, to rank trials at another radius than the sweep''s';
COMMENT ON COLUMN rrcm.trial_accuracy.sweep_id IS 'Sweep';
COMMENT ON COLUMN rrcm.trial_accuracy.sweep_name IS 'Name of the sweep';
COMMENT ON COLUMN rrcm.trial_accuracy.trial IS 'Number of the trial within the sweep';
COMMENT ON COLUMN rrcm.trial_accuracy.parameters IS 'Value of every free parameter';
COMMENT ON COLUMN rrcm.trial_accuracy.run_id IS 'Its certification';
COMMENT ON COLUMN rrcm.trial_accuracy.sigma IS 'Noise level';
COMMENT ON COLUMN rrcm.trial_accuracy.r IS 'L2 radius';
COMMENT ON COLUMN rrcm.trial_accuracy.items IS 'Images of the run at this sigma';
COMMENT ON COLUMN rrcm.trial_accuracy.finished IS 'Those with a certificate or an abstention';
COMMENT ON COLUMN rrcm.trial_accuracy.certified IS 'Those correct and certified at r or more';
COMMENT ON COLUMN rrcm.trial_accuracy.accuracy IS 'Share of the finished; biased while the run is unfinished';
COMMENT ON COLUMN rrcm.trial_accuracy.accuracy_low IS 'Share of all, unfinished counted wrong';
COMMENT ON COLUMN rrcm.trial_accuracy.accuracy_high IS 'Share of all, unfinished counted right';

CREATE VIEW rrcm.sweep_progress AS
SELECT s.sweep_id,
       s.name,
       s.state,
       s.method,
       s.metric,
       s.sigma,
       s.goal,
       trials.total AS trials,
       trials.done,
       trials.failed,
       trials.stopped,
       trials.open,
       coalesce(work.running, 0) AS running,
       CASE
         WHEN trials.total = 0 THEN 0
         ELSE (trials.ended + coalesce(work.share, 0)) / trials.total
       END AS share,
       s.created_at,
       s.finished_at,
       extract(epoch FROM coalesce(s.finished_at, now()) - s.created_at)::double precision AS elapsed_seconds
  FROM rrcm.sweep s
 CROSS JOIN LATERAL (
   SELECT count(*) AS total,
          count(*) FILTER (WHERE t.state = 'done') AS done,
          count(*) FILTER (WHERE t.state = 'failed') AS failed,
          count(*) FILTER (WHERE t.state = 'stopped') AS stopped,
          count(*) FILTER (WHERE t.state = 'open') AS open,
          count(*) FILTER (WHERE t.state <> 'open') AS ended
     FROM rrcm.trial t
    WHERE t.sweep_id = s.sweep_id
 ) AS trials
  LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE p.state = 'running' AND p.done > 0) AS running,
           sum(
             CASE
               WHEN p.state = 'done' THEN 1
               WHEN p.total > 0 AND p.state IN ('submitted', 'running') THEN p.done::double precision / p.total
               ELSE 0
             END / (num_nonnulls(t.finetune_spec, t.certify_spec) + t.chosen::int)
           ) AS share
      FROM rrcm.trial t
      JOIN rrcm.trial_run tr USING (trial_id)
      JOIN rrcm.run_progress p USING (run_id)
     WHERE t.sweep_id = s.sweep_id
       AND t.state = 'open'
  ) AS work ON true;
COMMENT ON VIEW rrcm.sweep_progress IS 'One row per sweep: how far it is';
COMMENT ON COLUMN rrcm.sweep_progress.sweep_id IS 'Sweep';
COMMENT ON COLUMN rrcm.sweep_progress.name IS 'Name';
COMMENT ON COLUMN rrcm.sweep_progress.state IS 'State';
COMMENT ON COLUMN rrcm.sweep_progress.method IS 'How trials are found';
COMMENT ON COLUMN rrcm.sweep_progress.metric IS 'What ranks the trials';
COMMENT ON COLUMN rrcm.sweep_progress.sigma IS 'Noise level at which the metric is measured, if named';
COMMENT ON COLUMN rrcm.sweep_progress.goal IS 'Whether more or less of the metric is better';
COMMENT ON COLUMN rrcm.sweep_progress.trials IS 'Trials';
COMMENT ON COLUMN rrcm.sweep_progress.done IS 'Trials that are done';
COMMENT ON COLUMN rrcm.sweep_progress.failed IS 'Trials that failed';
COMMENT ON COLUMN rrcm.sweep_progress.stopped IS 'Trials that were stopped';
COMMENT ON COLUMN rrcm.sweep_progress.open IS 'Trials that have not ended';
COMMENT ON COLUMN rrcm.sweep_progress.running IS 'Runs under way';
COMMENT ON COLUMN rrcm.sweep_progress.share IS 'Share of the work that is done, 0 to 1, each run of a trial weighing the same';
COMMENT ON COLUMN rrcm.sweep_progress.created_at IS 'When it was created';
COMMENT ON COLUMN rrcm.sweep_progress.finished_at IS 'When it ended';
COMMENT ON COLUMN rrcm.sweep_progress.elapsed_seconds IS 'Seconds since it was created, or until it ended';

CREATE FUNCTION rrcm.sweep_query(sweep text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
  found   bigint;
  metric  text;
  columns text;
BEGIN
  SELECT s.sweep_id, s.metric
    INTO found, metric
    FROM rrcm.sweep s
   WHERE s.sweep_id::text = sweep_query.sweep
      OR s.name = sweep_query.sweep;
  IF found IS NULL THEN
    RAISE EXCEPTION 'there is no sweep "%"', sweep_query.sweep USING HINT = 'SELECT sweep_id, name FROM rrcm.sweep lists them';
  END IF;
  -- A column per parameter, called by the last word of its path where that is enough to tell it apart.
  WITH path AS (
    SELECT key,
           bool_and(jsonb_typeof(value) = 'number') AS is_number,
           regexp_replace(key, '^.*\.', '') AS word
      FROM rrcm.trial t
     CROSS JOIN LATERAL jsonb_each(t.parameters)
     WHERE t.sweep_id = found
     GROUP BY key
  )
  SELECT string_agg(
           format(
             E'       (parameters ->> %L)%s AS %I,\n', key, CASE WHEN is_number THEN '::double precision' ELSE '' END,
             CASE
               WHEN namesakes = 1 AND word NOT IN ('rank', 'trial', 'state', 'acr', 'loss', 'checkpoint_digest') THEN word
               ELSE key
             END
           ), '' ORDER BY key)
    INTO columns
    FROM (SELECT key, is_number, word, count(*) OVER (PARTITION BY word) AS namesakes FROM path) AS named;
  RETURN format(
    E'SELECT rank,\n       value AS %I,\n       trial,\n%s       state,\n%s%s'
    '       checkpoint_digest\n  FROM rrcm.sweep_trial\n WHERE sweep_id = %s\n ORDER BY rank, trial',
    metric, columns, CASE WHEN metric <> 'acr' THEN E'       acr,\n' END,
    CASE WHEN metric <> 'loss' THEN E'       loss,\n' END, found);
END
$$;
COMMENT ON FUNCTION rrcm.sweep_query IS
  'Text of a query that ranks a sweep''s trials with a column per parameter. In psql: SELECT rrcm.sweep_query(''NAME'') \gexec';
