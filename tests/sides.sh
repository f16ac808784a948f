# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Recordings of both sides of a migration, made by hand, of which anyone can work out the blackout. Sourced by tests that
# set source and target, the files to write.

# The target's clock is 40 s ahead. The device stops at 100 s, the target's starts 250 ms later. Looks are 2 ms apart.
# recordings BOOT: of the target
recordings() {
	cat > "$source" <<-END
		{"type":"header","schema":"hwdbm.recording/1","host":{"name":"a","boot":"one"},"time_basis":"native","pid":7,"probes":[{"measures":"device-state","probe":"x"}]}
		{"type":"device_state","t_ns":90000000000,"pid":7,"device":1,"state":"pre-copy","ret":0,"total_ns":1000}
		{"type":"device_state","t_ns":90000000000,"pid":7,"device":1,"state":null,"size_bytes":1000,"ret":0,"total_ns":1000}
		{"type":"connection","t_ns":99999000000,"pid":7,"total_ns":0,"local":"10.0.0.1:5","remote":"10.0.0.2:6","sent_bytes":1000000,"acked_bytes":900000,"received_bytes":0}
		{"type":"device_state","t_ns":100002000000,"pid":7,"device":1,"state":"stop-copy","ret":0,"total_ns":2000000}
		{"type":"sync","t_ns":100010000000,"pid":7,"source":"iommufd","domain":1,"iteration":3,"clear":true,"ret":0,"total_ns":1000000,"dirty_bytes":4096}
		{"type":"connection","t_ns":100020000000,"pid":7,"total_ns":0,"local":"10.0.0.1:5","remote":"10.0.0.2:6","sent_bytes":1009500,"acked_bytes":1009000,"received_bytes":0}
		{"type":"connection","t_ns":100050000000,"pid":7,"total_ns":0,"local":"10.0.0.1:5","remote":"10.0.0.2:6","sent_bytes":1010000,"acked_bytes":1010000,"received_bytes":0}
		{"type":"vmm.state","t_ns":100060000000,"pid":7,"via":"qmp","status":"completed","syncs":3,"downtime_ns":60000000}
		{"type":"end","t_ns":101000000000,"lost":{"ring":0},"target_ended":false}
	END
	cat > "$target" <<-END
		{"type":"header","schema":"hwdbm.recording/1","host":{"name":"b","boot":"$1"},"time_basis":"native","pid":8,"probes":[{"measures":"device-state","probe":"x"}]}
		{"type":"device_state","t_ns":130000000000,"pid":8,"device":1,"state":"resuming","ret":0,"total_ns":1000}
		{"type":"connection","t_ns":139998000000,"pid":8,"total_ns":0,"local":"10.0.0.2:6","remote":"10.0.0.1:5","sent_bytes":0,"acked_bytes":0,"received_bytes":899000}
		{"type":"connection","t_ns":140001000000,"pid":8,"total_ns":0,"local":"10.0.0.2:6","remote":"10.0.0.1:5","sent_bytes":0,"acked_bytes":0,"received_bytes":1000500}
		{"type":"connection","t_ns":140051000000,"pid":8,"total_ns":0,"local":"10.0.0.2:6","remote":"10.0.0.1:5","sent_bytes":0,"acked_bytes":0,"received_bytes":1010000}
		{"type":"device_state","t_ns":140240000000,"pid":8,"device":1,"state":"running-p2p","ret":0,"total_ns":180000000}
		{"type":"device_state","t_ns":140250000000,"pid":8,"device":1,"state":"running","ret":0,"total_ns":1000000}
		{"type":"interrupt","t_ns":140255000000,"pid":8,"device":1,"interrupt":"vfio-msix[0](0000:03:00.1)"}
		{"type":"end","t_ns":141000000000,"lost":{"ring":0},"target_ended":false}
	END
}
