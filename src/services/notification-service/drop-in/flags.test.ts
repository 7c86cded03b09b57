/** The drop-in program's help and the flags of the reference's logging library, with the answers that glog 1.2.5 gives. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goUsage, parseGoFlags } from '../../../platform/reference/go-flags.ts';
import { chooseOperation, serviceFlags } from './flags.ts';

const help = `Usage of ccx-notification-service:
  -alsologtostderr
    	log to standard error as well as files
  -cleanup-on-startup
    	perform database clean up on startup
  -ignore-disabled-rules
    	skip disabled rules check, process all rules as if none are disabled
  -instant-reports
    	create instant reports
  -log_backtrace_at value
    	when logging hits line file:N, emit a stack trace
  -log_dir string
    	If non-empty, write log files in this directory
  -log_link string
    	If non-empty, add symbolic links in this directory to the log files
  -logbuflevel int
    	Buffer log messages logged at this level or lower (-1 means don't buffer; 0 means buffer INFO only; ...). Has limited applicability on non-prod platforms.
  -logtostderr
    	log to standard error instead of files
  -max-age string
    	max age for displaying/cleaning old records
  -new-reports-cleanup
    	perform new reports clean up
  -old-reports-cleanup
    	perform old reports clean up
  -print-new-reports-for-cleanup
    	print new reports to be cleaned up
  -print-old-reports-for-cleanup
    	print old reports to be cleaned up
  -show-authors
    	show authors and exit
  -show-configuration
    	show configuration and exit
  -show-version
    	show version and exit
  -stderrthreshold value
    	logs at or above this threshold go to stderr (default 2)
  -v value
    	log level for V logs
  -verbose
    	verbose logs
  -vmodule value
    	comma-separated list of pattern=N settings for file-filtered logging
`;

test('the help is that of the reference, flag by flag', () => {
  assert.equal(goUsage('ccx-notification-service', serviceFlags), help);
});

test('wrappers may pass the flags of the logging library; they change nothing', () => {
  const result = parseGoFlags(serviceFlags, [
    ...['-v=2', '-logtostderr', '--alsologtostderr=true', '-stderrthreshold=warning', '-vmodule=a=2,b*=-1,'],
    ...['-log_backtrace_at', 'file.go:234', '-log_dir', '/tmp', '-log_link=', '-logbuflevel', '-1'],
    ...['-v', '99999999999', '-stderrthreshold', '3', '-logbuflevel=0x2', '-vmodule=', '-log_backtrace_at='],
    '-instant-reports',
  ]);
  assert.equal(result.kind, 'parsed', JSON.stringify(result));
  assert.equal(result.kind === 'parsed' && chooseOperation(result.values), 'instant-reports');
});

const wrong: Readonly<Record<string, string>> = {
  '-v=x': 'invalid value "x" for flag -v: strconv.Atoi: parsing "x": invalid syntax',
  '-v=': 'invalid value "" for flag -v: strconv.Atoi: parsing "": invalid syntax',
  '-v=0x10': 'invalid value "0x10" for flag -v: strconv.Atoi: parsing "0x10": invalid syntax',
  '-v': 'flag needs an argument: -v',
  '-stderrthreshold=q': 'invalid value "q" for flag -stderrthreshold: strconv.Atoi: parsing "q": invalid syntax',
  '-stderrthreshold=9': 'invalid value "9" for flag -stderrthreshold: Severity 9 out of range (min 0, max 3).',
  '-vmodule=a': 'invalid value "a" for flag -vmodule: syntax error: expect comma-separated list of filename=N',
  '-vmodule=a=b': 'invalid value "a=b" for flag -vmodule: syntax error: expect comma-separated list of filename=N',
  '-vmodule==1': 'invalid value "=1" for flag -vmodule: syntax error: expect comma-separated list of filename=N',
  '-log_backtrace_at=z': 'invalid value "z" for flag -log_backtrace_at: syntax error: expect file.go:234',
  '-log_backtrace_at=:4': 'invalid value ":4" for flag -log_backtrace_at: syntax error: expect file.go:234',
  '-log_backtrace_at=a.go:-4': 'invalid value "a.go:-4" for flag -log_backtrace_at: negative value for line',
  '-logbuflevel=x': 'invalid value "x" for flag -logbuflevel: parse error',
  '-logbuflevel=99999999999999999999': 'invalid value "99999999999999999999" for flag -logbuflevel: value out of range',
  '-logtostderr=x': 'invalid boolean value "x" for -logtostderr: parse error',
};
for (const [argument, line] of Object.entries(wrong)) {
  test(`${argument} is refused in the library's words`, () => {
    assert.deepEqual(parseGoFlags(serviceFlags, [argument]), { kind: 'error', line });
  });
}
